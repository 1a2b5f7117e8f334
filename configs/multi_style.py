"""Teach one network several styles, of which each has a scale and a shift of every normalisation.

    python train.py --config configs/multi_style.py --workdir runs/varied --config.data.folder=PHOTOS \\
        --config.styles="('starry_night.jpg', 'mosaic.jpg', 'the_scream.jpg', 'wave.jpg')"

PHOTOS is a folder of some hundred photos or more; a fifth is for testing. The styles are called as their
files: `jaxstyle apply photo.jpg --model runs/varied --style mosaic -o out.png`, or `--interpolate mosaic:0.3,wave:0.7`.
Several devices want a photo each: `--config.batch_size=8`.

Half an hour on two cores for four styles and 950 photos. After 3,500 steps, as `fast_style` is judged: distance to the
painting (and to the photo) starry_night 0.095 (0.53), the_scream 0.075 (0.58), wave 0.127 (0.52), composition_vii 0.127
(0.47). More styles want more epochs.

`--config configs/multi_style.py:test` learns two example paintings from drawn shapes in seconds. Run again with the
same workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.fast_style import Config
from jaxstyle.tasks.stylization import small
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.data.update(name="", size=256)
    config.styles = ("example:brushwork", "example:mosaic")
    config.batch_size = 1  # a whole photo: statistics are of as many pixels as in use
    config.train_epochs = 3.7
    config.eval_epochs = config.checkpoint_epochs = 1.0
    config.ema_decay = 0.995
    config.content_weight = 0.04
    config.layer_weights = (6.0, 6.0, 8.0, 2.0, 1.0)  # most where strokes are
    config.model.update(width=16, blocks=3)
    config.augment.flip = True
    config.optimizer.update(name="muon", learning_rate=0.02, schedule="cosine", warmup_steps=100, clip_norm=1.0)
    return small(config) if variant == "test" else config
