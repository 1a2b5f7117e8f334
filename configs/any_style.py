"""Teach a network to paint in any style: of the photo and of a painting that it has never seen, in a single pass.

    python train.py --config configs/any_style.py --workdir runs/any --config.data.folder=PHOTOS \\
        --config.styles="('PAINTINGS',)"

PHOTOS is a folder of some hundred photos or more, a fifth of which is for testing; PAINTINGS are pictures or
folders, each drawn as often as any other, the more varied the better. `jaxstyle apply runs/any photo.jpg -o out.png
--style painting.jpg` uses the workdir as it is, `jaxstyle models convert runs/any models/any` makes a folder of its own
of it.

Some forty minutes on two cores (4,000 steps of 0.63 s), with 950 photos, 16 paintings and 400 photos as paintings. As
`fast_style` is judged, for paintings never seen: distance to starry_night 0.164, to the photo 0.48. Going on brings
more of the painting and less of the photo: 2,300 more steps with `--config.layer_weights="(6.0,6.0,8.0,2.0,1.0)"` and
`--config.content_weight=` 0.015 for 400 of them, 0.006 for 1,200 and 0.002 for 700, the last at twice the rate, gave
starry_night 0.131 (0.59), the_scream 0.140 (0.57), wave 0.201 (0.51).

`--config configs/any_style.py:test` learns two example paintings from drawn shapes in seconds. Run again with the same
workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.any_style import Config
from jaxstyle.tasks.stylization import small
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.data.update(name="", size=224)
    config.styles = ("example:brushwork", "example:mosaic")
    config.style_size = 384
    config.batch_size = 4
    config.train_steps = 3000
    config.eval_steps = config.checkpoint_steps = 500
    config.ema_decay = 0.995
    config.content_weight = 0.03
    config.augment.update(crop=128, flip=True)
    config.optimizer.update(name="muon", learning_rate=0.015, schedule="cosine", warmup_steps=100, clip_norm=1.0)
    return small(config) if variant == "test" else config
