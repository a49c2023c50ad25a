"""A runner for GitHub Actions and for Azure Pipelines, in a process: what our workflow files use, and nothing else.

It walks jobs and steps as the two services document it, and runs the scripts for real. What it does not know is an
error: a workflow that it accepts does not depend on something that it left out.
"""
