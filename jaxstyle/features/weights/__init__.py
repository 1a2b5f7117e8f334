"""Weights of feature extractors: registry, download, readers of file formats, layouts and their recognition."""
