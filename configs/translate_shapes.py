"""Fill outlined shapes with their colour, and outline filled ones, without a pair to learn from: CycleGAN."""

from ml_collections import ConfigDict

from jaxstyle.tasks.translate_config import Config, small
from jaxstyle.training.config import as_config


def get_config(variant: str = "") -> ConfigDict:
    """The recipe; `"test"` is its seconds-long variant."""
    config = as_config(Config())
    config.data.update(name="shapes_outlined/filled", name_b="shapes_outlined/outlined", pairs="eval")
    config.update(batch_size=4, train_epochs=10.0, eval_epochs=2.0, checkpoint_epochs=1.0, ema_decay=0.995)
    config.model.update(generator_width=16, blocks=3, discriminator_width=24, halvings=2, normed=False)
    for optimizer in (config.optimizer, config.discriminator_optimizer):
        optimizer.learning_rate = 4e-4
    return small(config) if variant == "test" else config
