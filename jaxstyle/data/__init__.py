"""Input pipelines: TFDS datasets and folders of pictures, read by index and batched on devices."""
