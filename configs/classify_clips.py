"""Telling which digit moves: films of one, classified by what a ConvLSTM remembers of eight frames.

    python train.py --config configs/classify_clips.py --workdir runs/clips

The network also foresees frames, which teaches it to look (`--config.past=0 --config.future=0` leaves that out).
`jaxstyle predict runs/clips clip.gif` tells the digit of a film. On 2 CPU cores, in seven minutes: 96.0 % of 1,000
films of test digits are told right.

MNIST (12 MB) is downloaded and prepared at its first use.
`--config configs/classify_clips.py:test` tells shapes apart in seconds and needs no download. Run again with the same
workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.forecast import Config
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.data.update(name="moving_mnist/single", eval_split="test[:1000]")
    config.model.update(inputs=8, outputs=2, widths=(32, 32), patch=4, brightness=0.05)
    config.update(batch_size=8, train_epochs=0.004, ema_decay=0.99)  # of two million clips: 1,000 steps
    config.eval_epochs = config.checkpoint_epochs = 0.001
    config.loss.update(bce=0.0, mse=1.0)
    config.update(classify=100.0, best="accuracy", best_mode="max")  # beside squared errors of some hundred
    config.optimizer.update(learning_rate=2e-3, schedule="cosine", warmup_steps=100, clip_norm=10.0)
    if variant == "test":
        config.data.update(name="moving_shapes/tiny", data_dir="{workdir}/data", eval_split="test")
        config.update(train_steps=4, eval_steps=2, checkpoint_steps=2, log_steps=1)
        config.model.update(inputs=3, outputs=2, widths=(8,), patch=8)
        config.optimizer.warmup_steps = 1
    return config
