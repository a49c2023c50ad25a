"""The embedded platform: real processes train, a real MLflow tracks and registers, real HTTP endpoints serve."""
