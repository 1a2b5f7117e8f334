"""Foreseeing two digits that move and bounce, ten frames after ten: a small ConvLSTM.

    python train.py --config configs/moving_mnist.py --workdir runs/film

An hour on two cores (0.45 s a step). On 1,000 test clips then: squared error 79.9 and SSIM 0.816, where the mean frame
has 152 and 0.33 and black 173 and 0.78. The first three or four frames are digits one can read, those after two digits
overlap and the tenth are soft spots in the right place. `moving_mnist_full.py` is for an accelerator.

`--config configs/moving_mnist.py:test` trains on tiny films of shapes in seconds. Run again with the same workdir, it
goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.forecast import Config
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.data.update(name="moving_mnist/fresh", eval_split="test[:1000]")
    config.model.update(widths=(32, 64, 32), scales=(1, 2, 1), patch=4, brightness=0.05)
    config.batch_size = 8
    config.train_epochs = 0.03  # of two million clips: none is seen twice
    config.finish_epochs = 0.0075  # by squared and some absolute errors, which clear the haze of cross entropy away
    config.finish.l1 = 0.15
    config.eval_epochs, config.checkpoint_epochs = 0.006, 0.002
    config.ema_decay = 0.999
    config.optimizer.update(learning_rate=2e-3, schedule="cosine", warmup_steps=200, clip_norm=1.0)
    if variant == "test":
        config.data.update(name="moving_shapes/tiny", data_dir="{workdir}/data", eval_split="test")
        config.update(train_steps=4, eval_steps=2, checkpoint_steps=2, log_steps=1, batch_size=8)
        config.model.update(inputs=3, outputs=2, widths=(8,), scales=(), patch=8)
        config.optimizer.warmup_steps = 1
    return config
