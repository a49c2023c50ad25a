"""Azure ML, through Microsoft's own SDK: the only place that knows azure. Imported when this backend is chosen.

`workspace.AzureWorkspace` is the way in: one workspace, signed in, with everything that talks to it.
"""
