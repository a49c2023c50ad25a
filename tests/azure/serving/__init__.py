"""Managed online endpoints: what ARM says of them, and real servers behind a front door that score.

rules.py          names, limits and traffic as the service documents them: pure
operations.py     long operations: their states, their signed URLs
state.py          endpoints and deployments as they are kept
resources.py      how they look in ARM's JSON
failures.py       the documented ways in which a deployment fails, and what a test planned
quota.py          cores, endpoints and deployments that a subscription may have in a region
endpoints.py      the routes of onlineEndpoints
deployments.py    the routes of onlineEndpoints/deployments
placement.py      from a deployment's JSON to files on disk and a server's settings
engine.py         ctrain's own serving engine, one router an endpoint
scoring.py        the front door: https://ENDPOINT.REGION.inference.ml.azure.com
control.py        what tests set: failures, lags, quota
"""
