"""Read digits better: the classifier of `classify_mnist`, four times as long, on digits moved by up to two pixels.

    python train.py --config configs/classify_mnist_augmented.py --workdir runs/digits   # 99.6 %

`--config configs/classify_mnist_augmented.py:test` does so on tiny drawn shapes, in seconds and without a download.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.classify import Config
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.update(batch_size=64, train_epochs=20.0, ema_decay=0.999)
    config.data.name = "mnist"
    config.model.dropout = 0.25
    config.augment.pad = 2
    config.optimizer.update(learning_rate=2e-3, schedule="cosine", warmup_epochs=0.2)
    if variant == "test":
        config.data.update(name="jaxstyle_shapes/tiny", data_dir="{workdir}/data")
        config.update(train_steps=20, eval_steps=10, checkpoint_steps=10, log_steps=5)
        config.optimizer.warmup_epochs = 0.0
    return config
