"""Serving on Azure ML: managed online endpoints, spoken to through ARM, and asked over their own front door.

names.py        names that Azure takes
endpoint.py     an endpoint's JSON: made, sent back, changed: pure
deployment.py   a deployment's JSON, and the digest of what it stands for: pure
observed.py     both as ctrain's nouns, with the commands for a person: pure
causes.py       why Azure says that something failed, in our words: pure
resources.py    the calls
assets.py       scoring code and environments, made once
settling.py     waiting, bounded
diagnosis.py    the cause and the log of what failed
creation.py     how an endpoint comes into being
changing.py     how it is changed
scoring.py      the front door
port.py         AzureServing: the Serving port
telemetry.py    AzureTelemetry: what Azure Monitor counted
"""
