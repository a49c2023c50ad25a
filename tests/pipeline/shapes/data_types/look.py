import sys
from pathlib import Path

target, *pairs = sys.argv[1:]
lines = []
for name, value in zip(pairs[::2], pairs[1::2], strict=True):
    place = Path(value)
    if name in ("text", "whole", "part", "flag"):
        lines.append(f"{name}: {value.lower()}")
    elif place.is_dir():
        lines.append(f"{name}: {' '.join(sorted(one.name for one in place.iterdir()))}")
    else:
        lines.append(f"{name}: {place.read_text().strip()}")
Path(target).write_text("\n".join(lines) + "\n")
