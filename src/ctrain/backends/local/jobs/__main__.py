"""The process of one job: `python -m ctrain.backends.local.jobs HOME FOLDER LOCK`.

`LOCK` is the number of an open file descriptor on the folder's lock, held for us by whoever started us; it stays held
for as long as this process lives.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ctrain.backends.local.home import Home
from ctrain.backends.local.jobs.plan import read_plan
from ctrain.backends.local.jobs.run import run_job
from ctrain.errors import CtrainError


def main() -> int:
    home, folder, lock = Home(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(lock, False)  # noqa: FBT003 - os has no keyword for it
    try:
        run_job(home, folder, read_plan((folder / "plan.json").read_text()))
    except (CtrainError, OSError) as trouble:
        print(trouble, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
