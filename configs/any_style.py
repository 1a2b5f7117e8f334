"""Teach a network to paint in any style: of the photo and of a painting that it has never seen, in a single pass.

    python train.py --config configs/any_style.py --workdir runs/any --config.data.folder=PHOTOS \\
        --config.styles="('PAINTINGS',)"

PHOTOS is a folder of some hundred photos or more, a fifth of which is for testing; PAINTINGS are pictures or
folders, each drawn as often as any other, the more varied the better. `jaxstyle apply photo.jpg --model runs/any
--style painting.jpg -o out.png` uses the workdir as it is, `jaxstyle models convert runs/any any.safetensors` makes one
file of it.

The network that comes with jaxstyle was trained so on one core: 724 photos (`train/` and `test/` in one folder); as
paintings three times two folders of 27 and 30 of them, 238 of the photos once, and `example:brushwork` and
`example:mosaic`. It began from random initialisation with 3,400 steps of the moments alone; went on from its
parameters (as by `--config.init_from`, with a fresh optimiser) for 16,000 steps with matching and structure, 0.37 s
each; and from those for 3,620 steps with all weights as they are here, 0.65 s each. Only the last part met motion and
paintings by code.

On 20 photos and six paintings never seen, 256 px, by the original VGG-19, relative to the photo or to the painting
pasted there; and what is left of a frame of a pan, a zoom and a car when the one before is moved along, relative to
frames stylised singly by `jaxstyle stylize` (128 px, four frames each):

                           Wasserstein-2  content  structure  patches  flicker
    after 16,000 steps          0.164      0.403     0.709     0.992   1.8 (pan, zoom)
    with `temporal_weight`      0.182      0.380     0.672     0.973   0.48, 0.53, 0.48
    with all of the hues        0.165      0.415     0.675     0.991   0.51, 0.56, 0.52

On 17 of these pairs `jaxstyle stylize` has 0.052, 0.469, 0.751 and 1.255, of which the network has 3.1, 0.87, 0.89 and
0.95 times as much. Flat places keep a faint weave.

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
    config.update(content_weight=0.035, structure_weight=0.04, matching_weight=1.25, temporal_weight=4.0)
    config.augment.update(crop=128, flip=True)
    config.optimizer.update(name="muon", learning_rate=0.015, schedule="cosine", warmup_steps=100, clip_norm=1.0)
    return small(config) if variant == "test" else config
