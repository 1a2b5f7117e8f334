"""Opening a split of a dataset: TFDS's, or a folder of pictures or films; with masks, at one size, of two domains."""

from __future__ import annotations

import dataclasses

from jaxstyle.data.bad_pictures import without_bad_pictures
from jaxstyle.data.clips import clips_dataset
from jaxstyle.data.config import DataConfig
from jaxstyle.data.cropping import fit_example
from jaxstyle.data.dataset import Dataset
from jaxstyle.data.domains import joined
from jaxstyle.data.folders import folder_dataset
from jaxstyle.data.masks import with_masks
from jaxstyle.data.tfds_datasets import DRAWN, drawn_dataset, tfds_dataset
from jaxstyle.errors import JaxstyleError


def open_dataset(data: DataConfig, split: str, *, labels: bool = True) -> Dataset:
    """Opens a split of a dataset, preparing the dataset on first use.

    Args:
      data: Settings; `{workdir}` in `data_dir` must have been replaced.
      split: Such as `train`, `test`, `validation` or `train[:90%]`.
      labels: Whether the class names of a folder matter; False takes its pictures wherever they lie.

    Returns:
      Examples with `image` or `video` uint8, `label` where there are classes and `labels`, and `mask` `[H, W]` uint8
      where `data.mask_classes` names classes; with a second domain also `image_b`, and `label_b`.

    Raises:
      JaxstyleError: There is no such dataset, split or folder, or preparing it needs TensorFlow; a picture has no mask,
        or, where `data.bad_pictures` asks for it, cannot be read; domains are paired and a picture has no partner.
    """
    if data.two_domains:
        one = dataclasses.replace(data, name_b="", folder_b="", pairs="none")
        other = dataclasses.replace(one, name=data.name_b or data.name, folder=data.folder_b)
        both = [open_dataset(each, split, labels=labels) for each in (one, other)]
        return joined(both[0], both[1], paired=data.paired(split))
    if data.clips:
        return clips_dataset(data, split, labels=labels)
    if data.folder:
        dataset = folder_dataset(data, split, labels=labels)
    else:
        drawn = data.name.partition("/")[0] in DRAWN
        dataset = (drawn_dataset if drawn else tfds_dataset)(data.name, split, data.data_dir)
    if not dataset.count:
        raise JaxstyleError(f"the split {split!r} of {data.folder or data.name!r} is empty")
    dataset = with_masks(dataset, data) if data.mask_classes else dataset
    dataset = without_bad_pictures(dataset, data.bad_pictures) if data.folder else dataset
    if not (size := data.shape):
        return dataset
    read, read_as = dataset.read, dataset.read_as
    return dataclasses.replace(
        dataset,
        read=lambda index: fit_example(read(index), size, data.fit),
        read_as=read_as and (lambda index, label: fit_example(read_as(index, label), size, data.fit)),
    )
