"""What GitHub shows of a release: a comment on its pull request, a check run, and deployments."""
