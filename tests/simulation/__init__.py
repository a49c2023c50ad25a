"""The flow in a storm: whole lives of a project, on a virtual clock, each drawn from one seed.

A schedule (`schedule.py`) is what happens to one project: its stages and how they roll out, its commits and how their
models behave, who calls which verb when, what the platform does to their calls, and which strangers edit what. The
flow that runs is the real one; the world is that of `tests/memory.py` (`world.py`), reached through ports at which
everything can happen (`ports.py`). Up to eight runs are at work at once, each in its own thread, and exactly one of
them moves at a time (`baton.py`). After each step a checker (`checker.py`) that asks neither the flow nor its nouns
holds the world and the calls against the promises. Once the weather is calm, everybody runs again, and all must come
to a good end (`calm.py`). The same seed gives the same journal, byte for byte.

    python -m tests.simulation --seeds 10000 --first 0      a table
    python -m tests.simulation --seed 123 --tell            one schedule, call by call
"""
