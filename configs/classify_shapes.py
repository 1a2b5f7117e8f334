"""Tell the ten shapes of `jaxstyle_shapes` apart. It needs no network, no download and no TensorFlow.

    python train.py --config configs/classify_shapes.py --workdir runs/shapes      # a minute on two cores: 87 % right

`--config configs/classify_shapes.py:test` does so on a tiny set in seconds. Run again with the same workdir, it goes
on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.classify import Config
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.train_epochs = 8.0
    config.model.dropout = 0.25
    config.optimizer.update(learning_rate=2e-3, schedule="cosine", warmup_epochs=0.25)
    if variant == "test":
        config.data.update(name="jaxstyle_shapes/tiny", data_dir="{workdir}/data")
        config.update(train_steps=20, eval_steps=10, checkpoint_steps=10, log_steps=5, batch_size=64)
    return config
