"""Input pipelines over TFDS data sources and folders, and the builders the project ships."""
