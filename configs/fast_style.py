"""Teach a network one painting's style: afterwards a photo is stylised in a single pass (`jaxstyle apply`).

    python train.py --config configs/fast_style.py --workdir runs/starry --config.data.folder=PHOTOS \\
        --config.styles="('starry_night.jpg',)"

PHOTOS is a folder of some hundred photos or more; a fifth is for testing. `jaxstyle apply photo.jpg
--model runs/starry -o out.png` uses the workdir as it is, `jaxstyle models convert runs/starry models/starry` makes a
folder of its own of it. The loss is that of `jaxstyle stylize`: `--config.content_weight` keeps more or less of the
photo. Several devices want a photo each: `--config.batch_size=8`.

Some 37 minutes on two cores, with 950 photos (0.46 s a step). After 4,500 steps for starry_night, on 20 photos never
seen, 256 px, by the original VGG-19 (relu1_1, relu2_1, relu3_1): Wasserstein-2 distance to the painting 0.081 of the
photo's, where 300 steps of `jaxstyle stylize` reach 0.046, and as much of the photo is left (relu3_1: 0.49 and 0.48 of
the distance to the painting). The network is half as wide as the papers' and has three blocks for their five, which a
CPU needs; `--config.model.width=32 --config.model.blocks=5` on an accelerator.

`--config configs/fast_style.py:test` learns an example painting from drawn shapes in seconds. Run again with the same
workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.fast_style import Config
from jaxstyle.tasks.stylization import small
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.data.update(name="", size=256)
    config.styles = ("example:brushwork",)
    config.batch_size = 1  # a whole photo: statistics are of as many pixels as in use
    config.train_epochs = 4.75
    config.eval_epochs = config.checkpoint_epochs = 1.0
    config.ema_decay = 0.995
    config.content_weight = 0.04
    config.layer_weights = (6.0, 6.0, 8.0, 2.0, 1.0)  # most where strokes are
    config.model.update(width=16, blocks=3)
    config.augment.flip = True
    config.optimizer.update(name="muon", learning_rate=0.02, schedule="cosine", warmup_steps=100, clip_norm=1.0)
    return small(config) if variant == "test" else config
