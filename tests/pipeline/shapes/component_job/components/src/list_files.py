import sys
from pathlib import Path

here = sorted(one.name for one in Path(__file__).parent.iterdir() if one.name != "__pycache__")
data = sorted(one.name for one in Path(sys.argv[1]).iterdir())
word = (Path(__file__).parent / "shared" / "word.txt").read_text().strip()
depth = "/".join([word] * int(sys.argv[2]))
Path(sys.argv[3]).write_text(f"{' '.join(here)}\n{' '.join(data)}\n{depth} {len(sys.argv)}\n")
