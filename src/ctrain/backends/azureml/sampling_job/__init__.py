"""Samples of data in the cloud are made there, by a command job with ctrain's own definition of a sample.

code.py      the job's code folder: a script, and the modules that it needs
script.py    the script itself; it runs on the cluster, and sees nothing of ctrain but those modules
compute.py   where it runs
job.py       the job: named after what it makes, adopted where it exists, waited for within bounds
"""
