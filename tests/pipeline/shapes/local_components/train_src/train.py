import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--training_data", type=Path)
parser.add_argument("--rounds", type=int)
parser.add_argument("--rate", type=float)
parser.add_argument("--schedule")
parser.add_argument("--model_output", type=Path)
args = parser.parse_args()

rows = [tuple(map(float, line.split(","))) for line in (args.training_data / "points.csv").read_text().split()]
slope = 0.0
for turn in range(args.rounds):
    rate = args.rate / (turn + 1) if args.schedule == "time-based" else args.rate
    slope += rate * sum((y - slope * x) * x for x, y in rows) / sum(x * x for x, _ in rows)
(args.model_output / "model.json").write_text(json.dumps({"slope": round(slope, 3)}))
