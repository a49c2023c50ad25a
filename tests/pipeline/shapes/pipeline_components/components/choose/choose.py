import sys
from pathlib import Path

found = [(Path(folder) / "total.txt").read_text() for folder in sys.argv[1:3]]
(Path(sys.argv[3]) / "best.txt").write_text(max(found, key=lambda line: int(line.split()[1])))
