"""Paint photos in the style of paintings, scripted like a training.

    python train.py --config configs/style_transfer.py --workdir runs/stylised \\
        --config.contents="('photo.jpg', 'folder/')" --config.styles="('painting.jpg',)"

Without pictures of one's own it paints the example landscape. `--config configs/style_transfer.py:test` does so at
64 px in seconds. Run again with the same workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.jobs.recipes import recipe
from jaxstyle.jobs.registry import JOBS


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = recipe(JOBS["stylize"], contents=("example:landscape",), styles=("example:brushwork",))
    if variant == "test":
        config.update(size=64, min_size=64, initial_iterations=5)
    return config
