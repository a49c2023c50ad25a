"""The report people read: a release and its events to one value, and that value to whatever shows it.

make_report     what there is to tell, decided once; `Beside` is what else the caller knows
markdown        for a pull request's comment and a job summary
html            one file that needs nothing else
junit, sarif    for what reads test results and findings
Remark          one thing to be shown at the file and line it comes from; `remarks_of_error` makes them of an error
"""

from __future__ import annotations

from ctrain.report.comment import markdown
from ctrain.report.curves import curves_of
from ctrain.report.headline import state_of
from ctrain.report.junit_xml import junit
from ctrain.report.make import Beside, make_report
from ctrain.report.page import html
from ctrain.report.remarks import Places, remarks_of_error
from ctrain.report.report import Link, Remark, Report, State
from ctrain.report.sarif_log import sarif

__all__ = [
    "Beside",
    "Link",
    "Places",
    "Remark",
    "Report",
    "State",
    "curves_of",
    "html",
    "junit",
    "make_report",
    "markdown",
    "remarks_of_error",
    "sarif",
    "state_of",
]
