"""Paint satellite pictures of 64 px in colour: DCGAN, with differentiable augmentation as there are few examples.

    python train.py --config configs/dcgan_eurosat.py --workdir runs/eurosat --config.data.folder=EuroSAT_RGB

On EuroSAT it did not learn yet: after 1,350 steps the discriminator was still at chance, the samples were alike.

The folder holds a sub-folder of pictures for each class, whose names are not used; any other folder of pictures will
do. `--config configs/dcgan_eurosat.py:test` paints shapes in seconds and needs none. Run again with the same workdir,
it goes on where it was stopped.
"""

from ml_collections import ConfigDict

from jaxstyle.tasks.gan_settings import defaults, small


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = defaults()
    config.data.update(folder="eurosat", size=64)
    config.update(batch_size=64, train_epochs=60.0, ema_decay=0.995)
    config.model.update(generator_width=32, discriminator_width=32, r1=0.05, penalty_every=4)
    config.model.augment = ("color", "translation", "cutout")
    return small(config) if variant == "test" else config
