"""Paint pictures of 64 px like those of a folder, faces for example, by R3GAN on accelerators.

    python train.py --config configs/r3gan_folder.py --workdir runs/faces --config.data.folder=FFHQ_64
    python train.py --config configs/r3gan_folder.py:cifar10 --workdir runs/cifar

A recipe for accelerators, which has not been run to its end: 20 million examples, of 70,000 or 50,000. Batch size,
rates, penalties, b2 and their schedules are those of the authors' code, with a fixed decay of the moving average for
its growing one, and adaptive augmentation for its growing one. Widths double where pictures halve, from 96 to 1,536;
theirs are 384 at 64 px, then 768. Published: FID 1.95 on FFHQ at 64 px, 1.96 on CIFAR-10.

`--config configs/r3gan_folder.py:test` paints drawn shapes in seconds. Run again with the same workdir, it goes on
where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.gan_config import Config, small
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"cifar10"` is of 32 px with labels, `"test"` the seconds-long variant."""
    config = as_config(Config())
    config.data.update(folder="photos", size=64)
    config.update(batch_size=256, train_epochs=286.0, dtype="bfloat16", ema_decay=0.9997)
    config.model.update(architecture="r3gan", objective="relativistic", latents=64, blocks=2, adaptive=0.6)
    config.model.update(generator_width=96, discriminator_width=96, r1=2.0, r2=2.0, final_penalty=0.1)
    for optimizer in (config.optimizer, config.discriminator_optimizer):
        optimizer.update(learning_rate=2e-4, schedule="cosine", final=0.25, b1=0.0, b2=0.9, final_b2=0.99)
    if variant == "cifar10":
        config.data.update(name="cifar10", folder="", size=32)
        config.update(batch_size=512, train_epochs=400.0, ema_decay=0.9999)
        config.model.update(conditional=True, r1=0.05, r2=0.05)
    return small(config) if variant == "test" else config
