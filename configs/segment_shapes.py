"""Find the ten shapes of `jaxstyle_shapes`, pixel by pixel: a small U-Net. It needs no network and no download.

    python train.py --config configs/segment_shapes.py --workdir runs/masks

Of 2,000 unseen pictures the mean IoU is 0.96 after five epochs and 0.987 after twenty.

`--config configs/segment_shapes.py:test` does so on a tiny set in seconds. Run again with the same workdir, it goes
on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.data.jaxstyle_shapes import CLASSES
from jaxstyle.tasks.segment import Config
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.data.mask_classes = ("ground", *CLASSES)
    config.batch_size = 64
    config.train_epochs = 30.0
    config.eval_epochs = config.checkpoint_epochs = 5.0
    config.ema_decay = 0.99
    config.model.update(width=16, levels=3)
    config.augment.flip = True
    config.optimizer.update(learning_rate=3e-3, schedule="cosine", warmup_epochs=0.25)
    if variant == "test":
        config.data.update(name="jaxstyle_shapes/tiny", data_dir="{workdir}/data", size=16)
        config.update(train_steps=10, eval_steps=5, checkpoint_steps=5, log_steps=5, batch_size=32)
        config.model.update(width=4, levels=2)
        config.optimizer.warmup_epochs = 0.0
    return config
