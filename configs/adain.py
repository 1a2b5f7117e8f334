"""Teach the decoder of AdaIN (Huang & Belongie 2017), which paints in any style; `any_style.py` learns sooner and more.

    python train.py --config configs/adain.py --workdir runs/any --config.data.folder=PHOTOS \\
        --config.styles="('PAINTINGS',)"

PHOTOS is a folder of some hundred photos or more, a fifth of which is for testing; PAINTINGS are pictures or
folders, the more varied the better. `jaxstyle apply photo.jpg --model runs/any --style painting.jpg -o out.png` uses
the workdir as it is, `jaxstyle models convert runs/any models/any` makes a folder of its own of it.

`--config configs/adain.py:test` learns two example paintings from drawn shapes in seconds. Run again with the same
workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.any_style import Config
from jaxstyle.tasks.stylization import small
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.model.network = "adain"
    config.data.update(name="", size=256)
    config.styles = ("example:brushwork", "example:mosaic")
    config.batch_size = 4
    config.train_epochs = 40.0
    config.eval_epochs = config.checkpoint_epochs = 4.0
    config.ema_decay = 0.99
    config.augment.update(crop=128, flip=True)
    config.optimizer.update(learning_rate=2e-3, schedule="cosine", warmup_steps=50, clip_norm=1.0)
    if variant == "test":
        config.model.layer = "relu2_1"
        config = small(config)
    return config
