"""The process in which a project's own metric is computed: `python -I own_process.py FOLDER FILE NAME RESAMPLES SEED`.

FOLDER holds the rows, one `.npy` file a column, written without pickle. The function is called once for each model, as
`name(label=..., prediction=..., **columns)` with numpy arrays, and gives one number for the rows, or one for every row,
whose mean is the metric. In the first case it is called again for every resample of the rows (of the groups, where
there are groups), the same ones for both models. What comes out is `result.json` in FOLDER.

Nothing of ctrain is imported: the process is the function's.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Arrays = Mapping[str, Any]


def main(folder: Path, file: Path, name: str, resamples: int, seed: int) -> None:
    columns = {path.stem: np.load(path, allow_pickle=False) for path in sorted(folder.glob("*.npy"))}
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location("own_metric", file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise SystemExit(f"{file.name} has no function {name!r}")
    result = {model: _called(function, rows, resamples, seed) for model, rows in _models(columns).items()}
    (folder / "result.json").write_text(json.dumps(result))


def _models(columns: Arrays) -> dict[str, tuple[Arrays, Any]]:
    """The arguments of the function for each model, and the groups."""
    given = {name.removeprefix("column-"): one for name, one in columns.items() if name.startswith("column-")}
    made: dict[str, tuple[Arrays, Any]] = {}
    for model in ("challenger", "champion"):
        if model in columns:
            rows = {"label": columns["label"], "prediction": columns[model], **given}
            made[model] = (rows, columns.get("group"))
    return made


def _called(function: Callable[..., Any], model: tuple[Arrays, Any], resamples: int, seed: int) -> dict[str, object]:
    rows, group = model
    count = len(rows["label"])
    values = np.asarray(function(**rows), dtype=np.float64)
    if values.shape == (count,):
        return {"value": float(values.mean()), "rows": values.tolist()}
    if values.shape not in ((), (1,)):
        raise SystemExit(
            f"it gave an array of the shape {values.shape}, not one number, nor one for each of {count:,} rows"
        )
    generator = np.random.default_rng(seed)
    draws = []
    for _ in range(resamples):
        places = _drawn(generator, count, group)
        draws.append(float(np.asarray(function(**{name: one[places] for name, one in rows.items()}))))
    return {"value": float(values.reshape(())), "draws": draws}


def _drawn(generator: Any, count: int, group: Any) -> Any:
    if group is None:
        return generator.integers(0, count, count)
    order = np.argsort(group, kind="stable")
    many = np.bincount(group)
    begins = np.cumsum(many) - many
    chosen = generator.integers(0, len(many), len(many))
    sizes = many[chosen]
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[np.repeat(begins[chosen], sizes) + within]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
