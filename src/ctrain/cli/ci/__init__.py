"""The CI that runs us: who called, and what it can show. The only place that knows one.

caller     who calls, and which trigger it is
trust      events that run code of strangers: refused
commands   the lines that each CI takes for commands, escaped
host       the CI while we run: folds, annotations, masks, outputs, job summary
outputs    what a later step may want to know of what a verb did
marker     how a comment of ours is known again
rest       asking a CI's REST API, with patience and care
publish    `ctrain report --publish`: everything that this CI can show of a release
github/    its comment, check run and deployments
devops/    its pull request's thread and status
"""

from ctrain.cli.ci.caller import Caller, caller

__all__ = ["Caller", "caller"]
