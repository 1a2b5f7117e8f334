"""Translate between two folders of pictures, such as horses and zebras, at 256 px: CycleGAN as it was published.

    python train.py --config configs/translate_folders.py --workdir runs/zebra \
        --config.data.folder=horses --config.data.folder_b=zebras

A recipe for an accelerator, which has not been run to its end: horse ↔ zebra takes 267,000 steps, each of seconds
on two CPU cores. Published for it: FID 77.2 from horses to zebras (Park et al. 2020, "Contrastive Learning for Unpaired
Image-to-Image Translation", table 1). Folders hold `train/` and `test/` each, or a part is held out.

`--config configs/translate_folders.py:test` does so on drawn shapes in seconds. Run again with the same workdir, it
goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.translate_config import Config, small
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.data.update(folder="photos/a", folder_b="photos/b", size=286)
    config.update(train_epochs=200.0, eval_epochs=10.0, checkpoint_epochs=5.0)
    config.augment.update(crop=256, flip=True)
    return small(config) if variant == "test" else config
