"""Fit gradient-boosted trees on the training rows and save them as an MLflow model that answers with probabilities."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import version
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.ensemble import HistGradientBoostingClassifier

NOT_FEATURES = ["row_id", "person", "health", "plan", "visited"]
PACKAGES = ["mlflow", "numpy", "pandas", "scikit-learn", "skops"]


def fit(features: pd.DataFrame, visited: pd.Series[int], args: argparse.Namespace) -> HistGradientBoostingClassifier:
    """Small trees, each split looking at half of the features: the seed decides at which."""
    model = HistGradientBoostingClassifier(
        learning_rate=args.learning_rate,
        max_iter=args.max_iter,
        max_leaf_nodes=args.max_leaf_nodes,
        min_samples_leaf=50,
        max_features=0.5,
        early_stopping=False,  # it would hold out rows at random, years of persons that it also learns from
        random_state=args.seed,
    )
    return model.fit(features, visited)


def save(model: HistGradientBoostingClassifier, features: pd.DataFrame, to: Path) -> None:
    """An MLflow model in skops' format, which unlike a pickle runs no code when it is loaded."""
    mlflow.sklearn.save_model(
        model,
        to,
        signature=infer_signature(features, model.predict_proba(features)),
        input_example=features.head(2),
        pyfunc_predict_fn="predict_proba",
        conda_env=environment(),
        # Ours, so trusted: skops asks because a forged tree could read out of bounds.
        skops_trusted_types=["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"],
    )


def environment() -> dict[str, object]:
    """What the model needs to be served, at the versions it was made with."""
    pinned = [f"{package}=={version(package)}" for package in PACKAGES]
    python = f"python={platform.python_version()}"
    return {"name": "model", "channels": ["conda-forge"], "dependencies": [python, "pip", {"pip": pinned}]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=Path, required=True, help="folder with the training rows")
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--max-iter", type=int, default=100, help="number of trees")
    parser.add_argument("--max-leaf-nodes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model", type=Path, required=True, help="folder to write the model to")
    args = parser.parse_args()

    rows = pd.read_parquet(args.training)
    features, visited = rows.drop(columns=NOT_FEATURES), rows["visited"]
    model = fit(features, visited, args)
    save(model, features, args.model)

    chosen = {name: value for name, value in vars(args).items() if not isinstance(value, Path)}
    mlflow.log_params({**chosen, "features": features.shape[1]})
    mlflow.log_metrics({"rows": len(rows), "persons": rows["person"].nunique(), "visited_share": visited.mean()})
    print(f"{args.max_iter} trees on {len(rows):,} rows and {features.shape[1]} features -> {args.model}")


if __name__ == "__main__":
    main()
