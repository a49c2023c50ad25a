"""Managed online endpoints as Azure ML has them, on a laptop.

port.py            LocalServing: what flows call; talks to endpoint processes, loads no model
telemetry.py       LocalTelemetry: what the endpoint's router counted
fleet.py           every endpoint of a home at once: up, down, status
folder.py          an endpoint's folder on disk: its files, its locks, who is alive
wish.py            what an endpoint should be, kept on disk before it is acted upon
rules.py           which wishes may follow which: pure
remote.py          the control plane's client, by the standard library
endpoint.py        the endpoint process: one writer, a router and its deployments
control.py         the control plane's server
router.py          the data plane: key, split, mirror, limits, Azure's status codes
tally.py           what it counts of its answers
deployment.py      keeps one deployment's server alive
surroundings.py    what of our environment such processes may see
server.py          one run of that server: its processes, socket and lifeline
launch.py          the first file that such a process runs, in the model's interpreter
gunicorn_hooks.py  what gunicorn tells us about its workers
mlflow_entry.py    the scoring script for MLflow models that come without code
"""
