import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("left")
parser.add_argument("right")
parser.add_argument("numbers", type=Path)
parser.add_argument("--before", type=Path)
parser.add_argument("--out", type=Path)
args = parser.parse_args()

before = args.before.read_text() if args.before else ""
total = sum(map(int, args.numbers.read_text().split()))
args.out.write_text(f"{before}{args.left} {args.right} {total}\n")
