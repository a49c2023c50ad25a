"""ctrain takes a commit to production, or leaves production as it was.

    plan -> train -> gate -> register -> for each stage: place -> smoke -> shift traffic -> promote | roll back

Where each step lives: the flow is `flow/deliver.py`, one verb a file beside it. What is decided is decided by the
pure nouns: `plan`, `training`, `gate`, `version`, `smoke`, `rollout`, `release`; `project` is `ctrain.yaml` and
`pipeline` the user's own. Verbs reach the world through `ports`; `backends/` holds the worlds. `cli/` parses, calls
and renders.
"""

__version__ = "0.1.0"
