"""What Azure DevOps shows of a release: a thread on its pull request, and a status that a branch policy can ask for."""
