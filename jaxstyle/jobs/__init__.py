"""From files to files: the runner of pixel jobs, and a style model applied to folders and films."""
