"""Paint handwritten digits by R3GAN: relativistic pairs, R1 and R2 at every picture, residual networks, no tricks.

    python train.py --config configs/r3gan_mnist.py --workdir runs/r3gan

Over the run the rate falls to a quarter, the penalties' weight to a tenth, and b2 rises from 0.9 to 0.99, as the
published code has it; the networks are narrow enough for a CPU, and `patch=2` spares the largest feature maps. A step
takes 0.28 s of one core.

Narrow networks want larger steps than the published ones, and depth. By the shipped classifier, of 2,000 samples:

                                             Fréchet distance  precision  recall
    one block, rate 4e-4, 2,814 steps             365            0.82      0.22
    one block, rate 2e-3, 800 steps               322            0.75      0.12
    two blocks, rate 2e-3 (here), 800 steps       172            0.75      0.53

`--config configs/r3gan_mnist.py:stacked` paints three digits at once, in red, green and blue. Of 25,600 samples:

                                             classes of 1,000  reverse KL  Fréchet distance  precision  recall
    11,000 steps, 52 minutes of one core           989            0.29           74             0.69     0.35
    25,000 steps, two hours of one core            994            0.24           40             0.76     0.51

(The same run: 9,184 steps of a schedule of 19,200, then the end of this one, then the end of one of 25,000.) The paper
has 1,000 and 0.08, of larger networks on GPUs.

MNIST (12 MB) is downloaded and prepared at its first use. `--config configs/r3gan_mnist.py:test` paints shapes in
seconds and needs no download. Run again with the same workdir, it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.gan_config import Config, small
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"stacked"` is of three digits at once, `"test"` the seconds-long variant."""
    config = as_config(Config())
    config.data.name = "stacked_mnist" if variant == "stacked" else "mnist"
    config.update(batch_size=64, train_epochs=5.5, ema_decay=0.999)
    config.model.update(architecture="r3gan", objective="relativistic", latents=64)
    config.model.update(generator_width=32, discriminator_width=32, blocks=2, patch=2)
    config.model.update(r1=1.0, r2=1.0, final_penalty=0.1)
    for optimizer in (config.optimizer, config.discriminator_optimizer):
        optimizer.update(learning_rate=2e-3, schedule="cosine", final=0.25, b1=0.0, b2=0.9, final_b2=0.99)
    return small(config) if variant == "test" else config
