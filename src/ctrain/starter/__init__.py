"""`ctrain init`: what a repository needs to begin with, made of what is there.

    look(folder) -> Surroundings       the pipelines, data, remote and workspace that are there
    answers -> files                   ctrain.yaml, the CI's files, a lock, a line of .gitignore
    compare(files) -> Changes          what is new, what is ours and older, and what a person wrote, which stays

Every file that it writes says so in its first line, with a digest: see `mark`.
"""
