"""Moving MNIST at full size, for an accelerator: four ConvLSTM layers of 128 channels, 200 epochs of 10,000 clips.

    python train.py --config configs/moving_mnist_full.py --workdir runs/film

This is the size and length of OpenSTL's ConvLSTM-S, whose reported score on its own test clips is MSE 29.80 and SSIM
0.9288 (from the literature; not yet run here). `--config configs/moving_mnist_full.py:test` takes seconds.
"""

import importlib.util
import pathlib

from ml_collections import ConfigDict


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    path = pathlib.Path(__file__).with_name("moving_mnist.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    small = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(small)
    config = small.get_config(variant)
    config.loss.update(bce=0.0, mse=1.0)
    config.optimizer.learning_rate = 5e-4
    if variant == "test":
        config.model.widths = (4, 4)
        return config
    config.train_epochs = 1.0  # of two million clips: as many as 200 epochs of 10,000
    config.data.eval_split = "test"  # all 10,000
    config.model.update(widths=(128, 128, 128, 128), scales=(), kernel=5)
    config.teacher_steps = 50_000
    config.finish_epochs = 0.0
    return config
