"""The kill matrix: `ctrain run` killed before and after each call that writes, and run again.

strike     the process that is killed: `ctrain`, with a count kept of what it writes
arena      a project on a backend, and what has to be the same in the end
__main__   `make test-kill-matrix`: all of it; prints N of N
"""
