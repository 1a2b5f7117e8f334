"""DeepDream, scripted like a training.

    python train.py --config configs/deep_dream.py --workdir runs/dream --config.contents="('photo.jpg',)"

Without a picture of one's own it dreams on the example landscape. `--config.frames=120 --config.zoom=1.05` makes a
zoom film's numbered frames. `--config configs/deep_dream.py:test` dreams at 64 px in seconds. Run again with the same
workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.jobs.recipes import recipe
from jaxstyle.jobs.registry import JOBS


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = recipe(JOBS["dream"], contents=("example:landscape",))
    if variant == "test":
        config.update(size=64, octaves=2, iterations=3)
    return config
