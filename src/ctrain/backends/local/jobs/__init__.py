"""A training job on this machine: from a pipeline's graph to processes, and what they left.

`prepare` turns a graph into a `plan` (flat steps, everything bound, nothing run); the trainer writes the plan into the
job's folder and starts `python -m ctrain.backends.local.jobs`, which lives on its own: `run` starts the steps
(`command`, `process`), asks `reuse` before each, and tells the world through `state`.

A job's folder, `home.jobs/NAME`:

    plan.json      what to do; the folder appears by one rename, complete
    lock           held (flock) by the job's process for as long as it, or a child of it, lives
    started        written once a process was started: without it the job may be started again
    cancel         somebody asked the job to stop
    state.json     how it stands; replaced by rename, only by the job's process
    outputs.json   the pipeline's outputs, with the size of every file
    job.log        what the job's process had to say
    steps/NAME/    work/ (the step's copy of its code), outputs/, log.txt
"""
