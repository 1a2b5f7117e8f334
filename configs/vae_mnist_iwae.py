"""A larger variational autoencoder of dynamically binarised MNIST, scored by the importance weighted bound, k = 500.

    python train.py --config configs/vae_mnist_iwae.py --workdir runs/vae_iwae

The bound is reckoned at the end only, over all test digits (`iwae` in `metrics.jsonl`, nats, lower is better): 85.0,
where the negative evidence lower bound is 90.2. On one core of two the training takes about an hour by its steps, the
bound half an hour beside another job. That run was laid out for 50 epochs and cut to 30 after a third of them.
`--config configs/vae_mnist_iwae.py:test` trains on a tiny set of shapes in seconds, with k = 20. Run again with the
same workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.vae import Config
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.data.name = "mnist"
    config.model.update(binarize="dynamic", latents=50, hidden=512, blocks=1)
    config.batch_size = 64
    config.iwae_samples = 500
    config.train_epochs = 30.0
    config.eval_epochs = 30.0  # the bound takes minutes
    config.kl_warmup_epochs = 5.0
    config.ema_decay = 0.999
    config.optimizer.update(learning_rate=2e-3, schedule="cosine", warmup_epochs=1.0)
    if variant == "test":
        config.data.update(name="jaxstyle_shapes/tiny", data_dir="{workdir}/data", size=16)
        config.model.update(widths=(8, 16), hidden=32, latents=8)
        config.update(train_steps=10, eval_steps=5, checkpoint_steps=5, log_steps=5, batch_size=64, iwae_samples=20)
    return config
