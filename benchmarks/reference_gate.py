"""What the reference project's gate figures come from: how far AUC moves when nothing, or something, is wrong.

    python benchmarks/reference_gate.py

Trains on all persons and on samples of them, with several seeds, splits and parameters, and prints for each the AUC
and the 95% interval of its difference to the committed parameters' model (bootstrap over persons).
"""

from __future__ import annotations

import argparse
import runpy
import statistics
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

PIPELINES = Path(__file__).parent.parent / "pipelines"
COMMITTED = {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 8, "seed": 7}
SPLITS = range(6)
RESAMPLES = 200


def step(name: str) -> SimpleNamespace:
    """What a step's script defines."""
    return SimpleNamespace(**runpy.run_path(str(PIPELINES / "components" / name / f"{name}.py")))


def chosen(person: pd.Series, what: str, share: float) -> pd.Series:
    """As prep.py sets persons aside, with other hashes: other splits and samples of the same kind."""
    units = {
        key: int.from_bytes(blake2b(f"{what}:{key}".encode(), digest_size=8).digest(), "big") / 2**64
        for key in person.unique()
    }
    return person.map(units) < share


def interval(aside: pd.DataFrame, one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """95% interval of AUC(one) - AUC(other), resampling persons."""
    groups = [np.asarray(rows) for rows in aside.reset_index(drop=True).groupby("person").groups.values()]
    label, draw = aside["visited"].to_numpy(), np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([groups[i] for i in draw.integers(len(groups), size=len(groups))])
        found.append(roc_auc_score(label[rows], one[rows]) - roc_auc_score(label[rows], other[rows]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def report(name: str, aucs: Sequence[float], differences: Sequence[tuple[float, float, float]]) -> None:
    line = f"| {name} | {statistics.mean(aucs):.3f} ({min(aucs):.3f} to {max(aucs):.3f}) |"
    if differences:
        mean, low, high = (statistics.mean(column) for column in zip(*differences, strict=True))
        line += f" {mean:+.4f} | {low:+.4f} to {high:+.4f} | {min(low for _, low, _ in differences):+.4f} |"
    print(line if differences else line + " | | |")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    prep, train = step("prep"), step("train")
    rows = prep.prepare(pd.read_parquet(PIPELINES / "data" / "visits.parquet"))

    def predicted(learn: pd.DataFrame, aside: pd.DataFrame, without: Sequence[str] = (), **other: float) -> np.ndarray:
        dropped = [*train.NOT_FEATURES, *without]
        args = argparse.Namespace(**{**COMMITTED, **other})
        model = train.fit(learn.drop(columns=dropped), learn["visited"], args)
        visit: np.ndarray = model.predict_proba(aside.drop(columns=dropped))[:, 1]
        return visit

    def compare(name: str, fraction: float, challenger: Callable[[pd.DataFrame, pd.DataFrame], np.ndarray]) -> None:
        aucs, differences = [], []
        for split in SPLITS:
            held = chosen(rows["person"], f"split {split}", 0.3)
            inside = chosen(rows["person"], f"sample {split}", fraction)
            aside = rows[held & inside]
            champion = predicted(rows[~held], aside)
            new = challenger(rows[~held & inside], aside)
            auc = roc_auc_score(aside["visited"], new)
            aucs.append(auc)
            differences.append((auc - roc_auc_score(aside["visited"], champion), *interval(aside, new, champion)))
        report(name, aucs, differences)

    history = ["earlier_years", "visits_last_year", "visited_share"]
    print("| challenger | AUC, mean (range over splits) | minus champion | 95% interval, mean | worst bound |")
    print("|---|---|---|---|---|")
    compare("all data, another seed", 1.0, lambda learn, aside: predicted(learn, aside, seed=8))
    compare("all data, 150 trees", 1.0, lambda learn, aside: predicted(learn, aside, max_iter=150))
    compare("all data, 10 trees", 1.0, lambda learn, aside: predicted(learn, aside, max_iter=10))
    compare("all data, 1 tree", 1.0, lambda learn, aside: predicted(learn, aside, max_iter=1))
    compare("all data, no history", 1.0, lambda learn, aside: predicted(learn, aside, without=history))
    compare("20% sample", 0.2, predicted)
    compare("20% sample, 1 tree", 0.2, lambda learn, aside: predicted(learn, aside, max_iter=1))


if __name__ == "__main__":
    main()
