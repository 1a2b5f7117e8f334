"""Opening a dataset of either kind, TFDS's or a folder of pictures, with its masks and at one size."""

from __future__ import annotations

import dataclasses

from jaxstyle.data.cropping import central_square
from jaxstyle.data.dataset import Dataset
from jaxstyle.data.folders import folder_dataset
from jaxstyle.data.masks import Masks, with_masks
from jaxstyle.data.tfds_datasets import moving_mnist_dataset, tfds_dataset
from jaxstyle.errors import JaxstyleError


def open_dataset(
    name: str, split: str, *, folder: str = "", data_dir: str = "", size: int = 0, masks: Masks | None = None
) -> Dataset:
    """Opens a split of a dataset, preparing the dataset on first use.

    Args:
      name: TFDS dataset, `name/config`; unused where `folder` is given.
      split: Such as `train`, `test` or `train[:90%]`; for a folder `train` or `test`.
      folder: Folder of pictures, with or without class folders, with or without `train/` and `test/` above them.
      data_dir: Folder of TFDS's datasets; "" is TFDS's default. A dataset in a bucket (`gs://…`) is read from a copy.
      size: Side in pixels of the central squares to which pictures are cropped; 0 leaves them as they are.
      masks: How examples get a `mask` `[H, W]` uint8 of class numbers; None for none.

    Raises:
      JaxstyleError: No such dataset, split or folder, or preparing it needs TensorFlow; a picture has no mask.
    """
    if folder:
        dataset = folder_dataset(folder, split)
    else:
        drawn = name.partition("/")[0] == "moving_mnist"
        dataset = (moving_mnist_dataset if drawn else tfds_dataset)(name, split, data_dir)
    if not dataset.count:
        raise JaxstyleError(f"the split {split!r} of {folder or name!r} is empty")
    dataset = with_masks(dataset, masks, folder) if masks else dataset
    if not size:
        return dataset
    return dataclasses.replace(dataset, read=lambda index: central_square(dataset.read(index), size))
