import argparse
import os
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--style")
parser.add_argument("--said", type=Path)
parser.add_argument("--start", type=int)
parser.add_argument("--ratio", type=float)
parser.add_argument("--extra", type=Path)
parser.add_argument("--verbose")
args = parser.parse_args()

extra = args.extra.read_text().strip() if args.extra else None
words = [args.style, args.start, args.ratio, extra, args.verbose and args.verbose.lower(), os.environ.get("GREETING")]
args.said.write_text(" ".join(map(str, words)) + "\n")
