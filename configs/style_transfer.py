"""Paint photos in the style of paintings, scripted like a training.

    python train.py --config configs/style_transfer.py --workdir runs/stylised \\
        --config.contents="('photo.jpg', 'folder/')" --config.styles="('painting.jpg',)"

Without pictures of one's own it paints the example landscape. `--config configs/style_transfer.py:test` does so at
64 px in seconds. Run again with the same workdir, it goes on where it was stopped.
"""

import dataclasses

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from jaxstyle.pixels.config import SWEEPABLE, StyleTransferConfig


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = ConfigDict()
    for name, value in dataclasses.asdict(StyleTransferConfig()).items():
        config[name] = placeholder(StyleTransferConfig.declared(name)[0]) if value is None else value
    config.run = "jaxstyle.jobs.stylize:run"
    config.contents = ("example:landscape",)
    config.styles = ("example:brushwork",)
    config.content_masks = ()
    config.style_masks = ()
    config.sweep = ConfigDict(dict.fromkeys(SWEEPABLE, ()))  # --config.sweep.content_weight="(0.01, 0.1)"
    config.bits = 8
    config.save_every = 0
    if variant == "test":
        config.update(size=64, min_size=64, initial_iterations=5)
    return config
