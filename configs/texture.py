"""Textures out of pictures, scripted like a training.

    python train.py --config configs/texture.py --workdir runs/texture \\
        --config.styles="('exemplar.jpg',)" --config.size=1024x512 --config.tileable

Without pictures of one's own it weaves the example mosaic. `--config configs/texture.py:test` does so at 64 px in
seconds. Run again with the same workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.jobs.recipes import recipe
from jaxstyle.jobs.registry import JOBS


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = recipe(JOBS["texture"], styles=("example:mosaic",))
    if variant == "test":
        config.update(size="64", min_size=64, style_size=64, initial_iterations=5)
    return config
