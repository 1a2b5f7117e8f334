"""DeepDream, scripted like a training.

    python train.py --config configs/deep_dream.py --workdir runs/dream --config.contents="('photo.jpg',)"

Without a picture of one's own it dreams on the example landscape. `--config.frames=120 --config.zoom=1.05` makes a
zoom film's numbered frames. `--config configs/deep_dream.py:test` dreams at 64 px in seconds. Run again with the same
workdir, it goes on where it was stopped.
"""

import dataclasses

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from jaxstyle.pixels.dream_config import DreamConfig


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = ConfigDict()
    for name, value in dataclasses.asdict(DreamConfig()).items():
        config[name] = placeholder(DreamConfig.declared(name)[0]) if value is None else value
    config.run = "jaxstyle.jobs.dream:run"
    config.contents = ("example:landscape",)
    config.bits = 8
    config.save_every = 0
    if variant == "test":
        config.update(size=64, octaves=2, iterations=3)
    return config
