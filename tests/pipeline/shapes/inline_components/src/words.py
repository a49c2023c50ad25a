import sys
from pathlib import Path

how, source, target = sys.argv[1:]
words = Path(source).read_text().split()
done = [word.upper() for word in words] if how == "upper" else sorted(words)
Path(target).write_text("\n".join(done) + "\n")
