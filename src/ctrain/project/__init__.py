"""`ctrain.yaml`: the user's one file, as values.

    settings    what the file may say, key by key
    load        find it, read it, make a project of it
    shape       the validator of its types, made of the settings
    refusals    what has the wrong shape or type, in words a person can act on
    checks      what contradicts itself
    policy      the gate of another file
    project     the project that comes out, with everything that was left out filled in

pydantic's core does the reading of types; it is imported when a file is loaded, and no earlier.
"""

from ctrain.project.load import find_project, load_project
from ctrain.project.policy import load_policy
from ctrain.project.project import Project, TriggerRule
from ctrain.project.settings import (
    AzureMLSettings,
    BackendsSettings,
    DataSettings,
    DataUse,
    LocalSettings,
    ModelSettings,
    OnCancel,
    Trigger,
)

__all__ = [
    "AzureMLSettings",
    "BackendsSettings",
    "DataSettings",
    "DataUse",
    "LocalSettings",
    "ModelSettings",
    "OnCancel",
    "Project",
    "Trigger",
    "TriggerRule",
    "find_project",
    "load_policy",
    "load_project",
]
