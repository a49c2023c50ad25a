"""Jobs: what is submitted is really run, by the engine of the local backend.

components.py   components as assets
submission.py   what a job's PUT may say, and what the resource shows
records.py      what is known of a job and of its steps
resources.py    other modules' resources, asked by their ids; datastore paths
fetched.py      codes and inputs, brought to this machine
keeping.py      outputs, logs and registered assets, brought into storage
rebuild.py      from a submitted job back to a pipeline's YAML, with code and inputs fetched
engine.py       runs it with `LocalTrainer`, and follows it
arm.py          jobs on management.azure.com
history.py      run history, and how a run looks there
dataplane.py    where assets are: the data and model planes
discovery.py    which host answers for what
tracking.py     MLflow's REST API, answered by MLflow's own server (`tracking_server.py`)
schedules.py    schedules; `triggers.py` says when they are due
control.py      what tests may set
samples.py      small pipelines for tests, and a hand to submit and follow them with
"""
