"""Textures out of pictures, scripted like a training.

    python train.py --config configs/texture.py --workdir runs/texture \\
        --config.styles="('exemplar.jpg',)" --config.size=1024x512 --config.tileable

Without pictures of one's own it weaves the example mosaic. `--config configs/texture.py:test` does so at 64 px in
seconds. Run again with the same workdir, it goes on where it was stopped.
"""

import dataclasses

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from jaxstyle.pixels.config import TextureConfig


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = ConfigDict()
    for name, value in dataclasses.asdict(TextureConfig()).items():
        config[name] = placeholder(TextureConfig.declared(name)[0]) if value is None else value
    config.run = "jaxstyle.jobs.texture:run"
    config.styles = ("example:mosaic",)
    config.bits = 8
    config.save_every = 0
    if variant == "test":
        config.update(size="64", min_size=64, style_size=64, initial_iterations=5)
    return config
