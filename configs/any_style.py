"""Teach a network to paint in any style: of the photo and of a painting that it has never seen, in a single pass.

    python train.py --config configs/any_style.py --workdir runs/any --config.data.folder=PHOTOS \\
        --config.styles="('PAINTINGS',)"

PHOTOS is a folder of some hundred photos or more, a fifth of which is for testing; PAINTINGS are pictures or
folders, each drawn as often as any other, the more varied the better. `jaxstyle apply photo.jpg --model runs/any
--style painting.jpg -o out.png` uses the workdir as it is, `jaxstyle models convert runs/any any.safetensors` makes one
file of it.

The network that comes with jaxstyle was trained so on one core: 724 photos (`train/` and `test/` in one folder); as
paintings three times two folders of 27 and 30 of them, 238 of the photos once, and `example:brushwork` and
`example:mosaic`. It began from random initialisation with `model.width=16` and 3,400 steps of the moments alone; went
on from its parameters (as by `--config.init_from`, with a fresh optimiser) for 16,000 steps with matching and
structure, 0.37 s each, and for 3,620 with `temporal_weight` and paintings by code, 0.65 s each. Then it was widened, by
channels that count for nothing at first, and its windows were transported (`model.window=5`, which takes less time than
7, with which it is used): 2,300 steps, 1.15 s each, in which weights were tried, and 2,950 with all weights as here.

On 20 photos and six paintings never seen, 256 px, by the original VGG-19, relative to the photo or to the painting
pasted there; and what is left of a frame of a pan, a zoom and a car when the one before is moved along, relative to
frames stylised singly by `jaxstyle stylize` (128 px, four frames each):

                           Wasserstein-2  content  structure  patches  flicker
    after 16,000 steps          0.164      0.403     0.709     0.992   1.8 (pan, zoom)
    with `temporal_weight`      0.182      0.380     0.672     0.973   0.48, 0.53, 0.48
    with all of the hues        0.165      0.415     0.675     0.991   0.51, 0.56, 0.52
    with windows                0.135      0.419     0.684     1.001   0.58, 0.62, 0.57
    all as here                 0.122      0.417     0.699     1.054   0.47, 0.52, 0.47

On 60 of these pairs `jaxstyle stylize` has 0.050, 0.482, 0.731 and 1.085, of which the network has 2.5, 0.86, 0.94 and
1.04 times as much (before windows 3.3, 0.85, 0.92 and 0.97 times). Flat places keep a faint weave.

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
    config.train_epochs = 107.0
    config.eval_epochs = config.checkpoint_epochs = 2.0
    config.ema_decay = 0.995
    # The distances of deep layers, of which 128 px hold few positions, would outweigh all others.
    config.layer_weights = (30.0, 6.0, 1.4, 1.0, 0.1)
    config.update(content_weight=0.0015, structure_weight=0.002, matching_weight=0.05, temporal_weight=0.6)
    config.model.width = 32
    config.augment.update(crop=128, flip=True)
    config.optimizer.update(name="muon", learning_rate=0.015, schedule="cosine", warmup_steps=100, clip_norm=1.0)
    if variant == "test":
        config.model.window = 3
        return small(config)
    return config
