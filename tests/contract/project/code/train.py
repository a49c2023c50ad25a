import sys
import time
from pathlib import Path

behave, model = sys.argv[1:]
print(f"asked to be {behave}", flush=True)
if behave == "fail":
    raise SystemExit("boom")
if behave == "slow":
    time.sleep(120)
Path(model, "weights").write_text("1 2 3")
