"""Azure ML registries: the resource in ARM, how clients find one, and the assets in it.

state.py       registries and their assets as they are kept, and the long operations of both
arm.py         the resource: create, read, list, delete
discovery.py   which region's host serves a registry; where long operations are asked for
assets.py      models, environments, data, components and codes: containers and versions
uploads.py     where new files go, and where those of a version are
imports.py     assets of a workspace, shared into a registry with their files
control.py     what tests set up

Shapes: the recordings in Azure/azure-sdk-assets, python/sdk/ml/azure-ai-ml/tests/recordings ("registry", and what has
"registry" in its name in "model" and "environment").
"""
