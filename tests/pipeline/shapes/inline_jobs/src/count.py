import sys
from pathlib import Path

text = (Path(sys.argv[1]) / "shouted.txt").read_text()
Path(sys.argv[2]).write_text(f"{sum(map(str.isalpha, text)) * int(sys.argv[3])}\n")
