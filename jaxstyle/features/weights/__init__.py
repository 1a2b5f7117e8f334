"""Weights of feature extractors: download, registry, readers of every format, layouts and their recognition."""
