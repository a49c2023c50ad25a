import sys
from pathlib import Path

numbers = (Path(sys.argv[1]) / "numbers.txt").read_text().split()
(Path(sys.argv[3]) / "numbers.txt").write_text("\n".join(str(int(one) ** int(sys.argv[2])) for one in numbers))
