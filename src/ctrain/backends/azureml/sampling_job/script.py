"""Makes a sample: `python sample.py DATA SAMPLE`, with the spec in `spec.json` beside it. Runs on the cluster."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from ctrain.data import SampleSpec
from ctrain.errors import CtrainError, DataError
from ctrain.rows import write_sample


def make(data: Path, sample: Path, spec: SampleSpec) -> int:
    """Write the sample, a file of a file and a folder of a folder; how many rows are in it.

    Raises DataError where the data cannot be sampled so, or no row falls in.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Formats are told by names, and what Azure ML calls an output's file need not end as the data's does.
        made = Path(folder, data.name) if data.is_file() else sample
        rows = write_sample(data, made, spec)
        if rows == 0:
            raise DataError(
                f"no row of {data.name} falls into the sample",
                why=f"none of its rows is among a share of {spec.fraction:g}",
                hint="choose a larger fraction, or a key that tells rows apart",
            )
        if made != sample:
            sample.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made, sample)
    return rows


def main() -> int:
    """The exit code: 2 for data that cannot be sampled, with the reason as the last line."""
    data, sample = map(Path, sys.argv[1:])
    spec = SampleSpec(**json.loads(Path(__file__).with_name("spec.json").read_text()))
    try:
        print(f"{make(data, sample, spec)} rows")
    except CtrainError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
