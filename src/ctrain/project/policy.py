"""Another gate than the project's, to try on what a release left behind: the `gate` of any file like `ctrain.yaml`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ctrain.document import Plain, read_document
from ctrain.errors import ProjectError
from ctrain.gate import EvaluationSettings, GateSettings
from ctrain.gate import check as check_gate
from ctrain.project.checks import unfit_values
from ctrain.project.load import raise_problems
from ctrain.project.refusals import refusals


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The sections that say how rows become a verdict; without `evaluation` a release's own is meant."""

    gate: GateSettings
    evaluation: EvaluationSettings | None = None

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  as the project file's


def load_policy(file: Path, evaluation: EvaluationSettings) -> tuple[GateSettings, EvaluationSettings]:
    """The file's gate and evaluation, else the `evaluation` given. All its other sections are passed over.

    Raises ProjectError, with all problems that were found.
    """
    from pydantic_core import ValidationError

    from ctrain.project.shape import validator_of

    document = read_document(file, ProjectError)
    if not isinstance(document.value, dict) or "gate" not in document.value:
        raise ProjectError(
            "the file has no gate",
            why="a policy is a `gate` section, as in ctrain.yaml",
            hint="write `gate:` with `metrics:`, or name another ctrain.yaml",
            at=document.at(),
        )
    sections: dict[str, Plain] = {
        name: document.value[name] for name in ("gate", "evaluation") if name in document.value
    }
    raise_problems(unfit_values(sections), document)
    try:
        policy = validator_of(Policy).validate_json(json.dumps(sections), strict=True)
    except ValidationError as failure:
        raise_problems(refusals(failure.errors(include_url=False, include_context=False), document), document)
        raise
    assert isinstance(policy, Policy)  # noqa: S101  what the validator is made to return
    own = policy.evaluation or evaluation
    raise_problems(check_gate(policy.gate, own), document)
    return policy.gate, own
