import sys
from pathlib import Path

rows = [tuple(map(float, line.split(","))) for line in (Path(sys.argv[1]) / "scores.csv").read_text().split()]
error = max(abs(truth - score) for truth, score in rows)
(Path(sys.argv[2]) / "report.txt").write_text(f"largest error {error:.2f}\n")
