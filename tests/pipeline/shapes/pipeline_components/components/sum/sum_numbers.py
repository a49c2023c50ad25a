import sys
from pathlib import Path

total = sum(map(int, (Path(sys.argv[1]) / "numbers.txt").read_text().split()))
(Path(sys.argv[3]) / "total.txt").write_text(f"{sys.argv[2]} {total}\n")
