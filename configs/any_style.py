"""Teach a network to paint in any style: of the photo and of a painting that it has never seen, in a single pass.

    python train.py --config configs/any_style.py --workdir runs/any --config.data.folder=PHOTOS \\
        --config.styles="('PAINTINGS',)"

PHOTOS is a folder of some hundred photos or more, a fifth of which is for testing; PAINTINGS are pictures or
folders, each drawn as often as any other, the more varied the better. `jaxstyle apply photo.jpg --model runs/any
--style painting.jpg -o out.png` uses the workdir as it is, `jaxstyle models convert runs/any any.safetensors` makes one
file of it.

The network that comes with jaxstyle was trained so on one core, which it shared, at 0.36 s a step where it had the core
for itself: 724 photos (`train/` and `test/` in one folder); as paintings twice two folders of 27 and 30 of them, and
238 of the photos once, 3,400 steps. The first 781 had `--config.content_weight=0.03 --config.train_steps=3000`: photos
dissolved, and a heavier weight mended that, 0.08 with `train_steps=1900`. From there on it was 0.06, to 3,400 steps.

On two photos and six paintings never seen, 256 px, by the original VGG-19 (relu1_1, relu2_1, relu3_1): Wasserstein-2
distance to the painting 0.23 of the photo's (0.26 after 1,900 steps), to the photo 0.41 of that of the painting
pasted there. After 300 steps `jaxstyle stylize` has 0.06 and 0.40 (three photos in the style of starry_night, of which
the network has 0.18 and 0.42 on two): more steps are wanted.

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
    config.train_epochs = 19.0
    config.eval_epochs = config.checkpoint_epochs = 2.0
    config.ema_decay = 0.995
    config.content_weight = 0.06
    config.augment.update(crop=128, flip=True)
    config.optimizer.update(name="muon", learning_rate=0.015, schedule="cosine", warmup_steps=100, clip_norm=1.0)
    return small(config) if variant == "test" else config
