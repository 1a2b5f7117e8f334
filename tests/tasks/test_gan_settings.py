"""GANs: what may be an architecture, what has a mapping network, and settings that cannot be."""

import math
import types

import flax.linen as nn
import pytest
from gan_steps import changed, distance, made, stepped
from small_configs import CONFIGS

from jaxstyle.errors import JaxstyleError
from jaxstyle.tasks import gan, gan_config
from jaxstyle.training import loop
from jaxstyle.training.config import typed
from jaxstyle.training.config_file import absolute


@pytest.fixture
def config(request):
    """The small config of a GAN."""
    return CONFIGS["gan"](request.getfixturevalue)


def test_truncation_is_of_networks_with_a_mapping_network(config):
    task = made(changed(config, architecture="stylegan2", mapping=2)).truncated(0.7)
    assert task.networks.generator.truncation == 0.7 and task.networks.discriminator.codes == 0
    with pytest.raises(JaxstyleError, match="generator has no mapping network, and so no styles; 'stylegan2' has one"):
        made(config).truncated(0.7)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"objective": "hingee"}, "unknown model.objective 'hingee'; did you mean 'hinge'"),
        ({"architecture": "dcgann"}, "did you mean 'dcgan'"),
        ({"updates": "both"}, "unknown model.updates 'both'; known: 'alternating', 'simultaneous'"),
        ({"augment": ("colour",)}, "did you mean 'color'"),
        ({"discriminator_steps": 0}, "model.discriminator_steps is 0; it must be at least 1"),
        ({"discriminator_steps": 17}, "model.discriminator_steps is 17, and they share a batch of 16"),
        ({"r1": -1.0}, "model.r1 is -1"),
        ({"codes": 9}, "model.codes is 9; it must be from 2 to model.latents, 8, or 0"),
        ({"codes": 4, "conditional": True}, "model.codes are in place of labels: set them to 0"),
        (
            {"architecture": "resnet", "hidden": 9},
            "model.hidden is 9, but 'resnet' has none; it is for",
        ),
        ({"r2": 1.0, "penalty_every": 2}, "model.r2 is at every example: set model.penalty_every to 1"),
        ({"patch": 2}, "model.patch is 2, but 'dcgan' has none; it is for the architecture 'r3gan'"),
        ({"batch_norm": True, "r1": 1.0}, "batch normalisation mixes them: set model.batch_norm to False"),
    ],
)
def test_bad_settings_are_told_in_a_sentence(config, changes, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        made(changed(config, **changes))


def test_a_batch_that_devices_and_parts_cannot_share_is_told(config, tmp_path):
    config = changed(config, discriminator_steps=3)
    with pytest.raises(JaxstyleError, match=r"batch_size 16 cannot be shared by 8 devices and 3 parts .*; 24 and its"):
        loop.Training(typed(gan.Config, config), absolute(tmp_path))


class Linear(nn.Module):
    """Both networks of a toy architecture: one dense layer each."""

    shape: tuple[int, ...]
    classes: int = 0

    @nn.compact
    def __call__(self, x, labels, train):
        return nn.Dense(math.prod(self.shape))(x.reshape(len(x), -1)).reshape(-1, *self.shape)


def test_an_architecture_is_a_module_with_build_and_options(config, monkeypatch):
    toy = types.SimpleNamespace(OPTIONS=("codes",), build=lambda config, shape, classes: (Linear(shape), Linear(())))
    monkeypatch.setitem(gan_config.ARCHITECTURES, "toy", toy)
    config = changed(config, architecture="toy", r1=0.5)
    _, first, state, metrics = stepped(config)
    assert distance(first.params, state.params) > 0 and {"r1", "generator_loss"} < set(metrics)
    with pytest.raises(JaxstyleError, match="codes is 3, but 'dcgan' has none"):
        made(changed(config, architecture="dcgan", codes=3))


def test_data_that_does_not_fit_is_told(config):
    with pytest.raises(JaxstyleError, match="no class labels to condition on"):
        made(changed(config, conditional=True), classes=())
    with pytest.raises(JaxstyleError, match="no pictures of 30x30 pixels"):
        made(config, shape=(30, 30, 3))
