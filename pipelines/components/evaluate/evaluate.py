"""Score the evaluation rows with the new model, and with the champion where there is one: one table, row by row."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pandas as pd
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

if TYPE_CHECKING:
    import numpy as np


def scores(model: Path, rows: pd.DataFrame) -> np.ndarray:
    """The probability of a visit for each row, as the served model would answer."""
    loaded = mlflow.pyfunc.load_model(str(model))
    names = loaded.metadata.get_input_schema().input_names()
    missing = [name for name in names if name not in rows]
    if missing:
        sys.exit(
            f"The model in {model} needs {', '.join(map(repr, missing))}, and the evaluation rows have no such column. "
            "Let prep.py go on making it until no champion needs it."
        )
    visit: np.ndarray = loaded.predict(rows[names])[:, 1]
    return visit


def metrics(visited: pd.Series[int], predicted: np.ndarray) -> dict[str, float]:
    return {
        "auc": roc_auc_score(visited, predicted),
        "log_loss": log_loss(visited, predicted),
        "brier": brier_score_loss(visited, predicted),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True, help="folder with the evaluation rows")
    parser.add_argument("--model", type=Path, required=True, help="the new model, an MLflow model's folder")
    parser.add_argument("--champion", type=Path, help="the model in production, likewise")
    parser.add_argument("--evaluation", type=Path, required=True, help="folder to write the scored rows to")
    args = parser.parse_args()

    rows = pd.read_parquet(args.rows)
    scored = rows.assign(prediction=scores(args.model, rows))
    measured = metrics(scored["visited"], scored["prediction"])
    if args.champion:
        scored = scored.assign(champion_prediction=scores(args.champion, rows))
        champion = metrics(scored["visited"], scored["champion_prediction"])
        measured |= {f"champion_{name}": value for name, value in champion.items()}

    args.evaluation.mkdir(parents=True, exist_ok=True)
    scored.to_parquet(args.evaluation / "predictions.parquet", index=False)
    mlflow.log_metrics(measured)
    print(f"{len(scored):,} rows:", ", ".join(f"{name} {value:.4f}" for name, value in measured.items()))


if __name__ == "__main__":
    main()
