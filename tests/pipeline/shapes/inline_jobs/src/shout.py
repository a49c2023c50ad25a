import sys
from pathlib import Path

text = Path(sys.argv[1]).read_text()
(Path(sys.argv[2]) / "shouted.txt").write_text(text.upper())
