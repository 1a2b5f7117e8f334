"""Teach a network to paint in any style: of the photo and of a painting that it has never seen, in a single pass.

    python train.py --config configs/any_style.py --workdir runs/any --config.data.folder=PHOTOS \\
        --config.styles="('PAINTINGS',)"

PHOTOS is a folder of some hundred photos or more, a fifth of which is for testing; PAINTINGS are pictures or
folders, each drawn as often as any other, the more varied the better. `jaxstyle apply photo.jpg --model runs/any
--style painting.jpg -o out.png` uses the workdir as it is, `jaxstyle models convert runs/any any.safetensors` makes one
file of it.

The network that comes with jaxstyle was trained so on one core, at 0.37 s a step: 724 photos (`train/` and `test/` in
one folder); as paintings twice two folders of 27 and 30 of them, and 238 of the photos once. It began from random
initialisation with 3,400 steps of the moments alone (no structure and no matching, content weights of 0.03 to 0.08);
went on from these parameters (as by `--config.init_from`, with a fresh optimiser) for 10,750 steps with
`content_weight=structure_weight=0.05` and `matching_weight=1`, and to 16,000 with the weights here.

On two photos and six paintings never seen, 256 px, by the original VGG-19 (relu1_1, relu2_1, relu3_1): Wasserstein-2
distance to the painting 0.16 of the photo's (0.23 after the first 3,400 steps, 0.17 after 10,750 more), to the photo
0.39 of that of the painting pasted there. After 300 steps `jaxstyle stylize` has 0.06 and 0.40 (three photos in the
style of starry_night, of which the network has 0.15 and 0.37 on two). Flat places keep a weave.

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
    config.update(content_weight=0.035, structure_weight=0.04, matching_weight=1.25)
    config.augment.update(crop=128, flip=True)
    config.optimizer.update(name="muon", learning_rate=0.015, schedule="cosine", warmup_steps=100, clip_norm=1.0)
    return small(config) if variant == "test" else config
