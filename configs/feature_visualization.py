"""Look into a network: what its channels respond to, as pictures and a labelled atlas; scripted like a training.

    python train.py --config configs/feature_visualization.py --workdir runs/atlas \\
        --config.layer=relu4_1 --config.channels=0:64

`--config configs/feature_visualization.py:test` paints two channels at 48 px in seconds. Run again with the same
workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.jobs.recipes import recipe
from jaxstyle.jobs.registry import JOBS


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = recipe(JOBS["visualize"])
    if variant == "test":
        config.update(size=48, iterations=4, layer="relu2_1", channels="0:2")
    return config
