"""Look into a network: what its channels respond to, as pictures and a labelled atlas; scripted like a training.

    python train.py --config configs/feature_visualization.py --workdir runs/atlas \\
        --config.layer=relu4_1 --config.channels=0:64

`--config configs/feature_visualization.py:test` paints two channels at 48 px in seconds. Run again with the same
workdir, it goes on where it was stopped.
"""

import dataclasses

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from jaxstyle.pixels.visualize import VisualizationConfig


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = ConfigDict()
    for name, value in dataclasses.asdict(VisualizationConfig()).items():
        config[name] = placeholder(VisualizationConfig.declared(name)[0]) if value is None else value
    config.run = "jaxstyle.jobs.visualize:run"
    config.bits = 8
    config.save_every = 0
    if variant == "test":
        config.update(size=48, iterations=4, layer="relu2_1", channels="0:2")
    return config
