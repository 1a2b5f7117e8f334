"""Paint handwritten digits by R3GAN: relativistic pairs, R1 and R2 at every picture, residual networks, no tricks.

    python train.py --config configs/r3gan_mnist.py --workdir runs/r3gan

Over the run the rate falls to a quarter, the penalties' weight to a tenth, and b2 rises from 0.9 to 0.99, as the
published code has it; the networks are narrow enough for a CPU, and `patch=2` spares the largest feature maps. A step
takes 0.27 s of one core. `--config.data.name=stacked_mnist` paints three digits at once, in red, green and blue.

Seen so far: after 800 steps of a run of 3,000, shapes that differ and begin to look like digits. It has not been
trained to its end, so there is no score to expect.

MNIST (12 MB) is downloaded and prepared at its first use. `--config configs/r3gan_mnist.py:test` paints shapes in
seconds and needs no download. Run again with the same workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.gan_config import Config, small
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.data.name = "mnist"
    config.update(batch_size=64, train_epochs=16.0, ema_decay=0.999)
    config.model.update(architecture="r3gan", objective="relativistic", latents=64)
    config.model.update(generator_width=32, discriminator_width=32, blocks=1, patch=2)
    config.model.update(r1=1.0, r2=1.0, final_penalty=0.1)
    for optimizer in (config.optimizer, config.discriminator_optimizer):
        optimizer.update(learning_rate=4e-4, schedule="cosine", final=0.25, b1=0.0, b2=0.9, final_b2=0.99)
    return small(config) if variant == "test" else config
