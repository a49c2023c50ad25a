"""A report as one HTML file that needs nothing else: no script, no request, and a policy that forbids both."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ctrain.amounts import duration, size
from ctrain.report import plots, words
from ctrain.report.harmless import clean, lines
from ctrain.report.headline import deciding
from ctrain.report.report import Line, Report
from ctrain.verdict import Outcome

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = files("ctrain.report") / "templates"
_MOST = 600
_MOST_LOG = 20_000


def html(report: Report) -> str:
    """The whole page."""
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    mark = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            style=_as_is(style),
            policy=f"default-src 'none'; style-src 'sha256-{mark}'; base-uri 'none'; form-action 'none'",
            deciding=deciding(report.lines, report.outcome) if report.outcome else None,
            unreached=_unreached(report),
            forests=_forests(report.slices),
            unjudged=[line for line in report.slices if not line.compares],
        )
    )


def _forests(slices: tuple[Line, ...]) -> dict[str, list[Line]]:
    """The slices that were compared, by metric, those that block before others; worst first within each."""
    compared = sorted((line for line in slices if line.compares), key=lambda line: not line.finding.blocking)
    made: dict[str, list[Line]] = {line.metric: [] for line in compared}
    for line in sorted(compared, key=lambda line: line.gain):
        made[line.metric].append(line)
    return made


def _unreached(report: Report) -> tuple[str, ...]:
    """The stages, where none of them was reached."""
    names = tuple(stage.name for stage in report.stages if stage.state == "not reached")
    return names if len(names) == len(report.stages) else ()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    made = Environment(
        loader=PackageLoader("ctrain.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_seen,
    )
    made.filters |= {
        "duration": duration,
        "size": size,
        "log": lambda text: Markup(escape(lines(text, _MOST_LOG))),  # noqa: S704  escaped right here
        "first_up": lambda text: text[:1].upper() + text[1:],
    }
    made.globals |= {"words": words, "plots": plots}
    return made


def _seen(value: object) -> object:
    """What every text passes on its way into the page: one line of what can be seen."""
    return clean(value, _MOST) if type(value) is str or isinstance(value, Outcome) else value


def _as_is(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704  our own style sheet
