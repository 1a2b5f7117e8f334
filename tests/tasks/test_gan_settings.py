"""GANs: what may be an architecture, what has a mapping network, and settings that cannot be."""

import math
import types

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
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
        ({"adaptive": 1.5}, "model.adaptive is 1.5; it must be from 0 to 1"),
        (
            {"path_length": 2.0},
            "model.path_length is 2.0, but 'dcgan' has none; it is for",
        ),
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


class Penalized(Linear):
    """A generator that wants its parameters small, and counts its steps."""

    def memory(self):
        return {"steps": jnp.zeros(())}

    def penalty(self, params, noise, labels, keys, memory):
        assert noise.shape == (8, 8) and keys.shape == (8,)  # every second one of 16 examples
        return 1e3 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params)), ({"steps": memory["steps"] + 1}, {})


@pytest.fixture
def toy(config, monkeypatch):
    """Steps of a GAN of linear networks, whose generator has a penalty where it is asked for."""

    def step(change=lambda state: state, penalized=False, **changes):
        networks = (Penalized if penalized else Linear)((16, 16, 3)), Linear(())
        module = types.SimpleNamespace(OPTIONS=(), build=lambda config, shape, classes: networks)
        monkeypatch.setitem(gan_config.ARCHITECTURES, "toy", module)
        return stepped(changed(config, architecture="toy", **changes), change)[1:]

    return step


@pytest.mark.parametrize("updates", ["alternating", pytest.param("simultaneous", marks=pytest.mark.slow)])
def test_a_generator_may_have_a_penalty_with_a_state(toy, updates):
    first, state, _ = toy(penalized=True, penalty_every=2, updates=updates)
    assert state.collections["memory"]["steps"] == 1 and first.collections["memory"]["steps"] == 0
    kernel, after = (each.params["generator"]["Dense_0"]["kernel"] for each in (first, state))
    moved = np.abs(kernel) > 1e-3  # beyond Adam's first step
    np.testing.assert_array_equal(np.sign(after - kernel)[moved], -np.sign(kernel)[moved])


@pytest.mark.parametrize("objective", ["hinge", pytest.param("relativistic", marks=pytest.mark.slow)])
def test_adaptive_augmentation_has_its_probability_in_the_state(toy, objective):
    def at(p, sign):
        def change(state):
            adaptive = {"p": jnp.float32(p), "sign": jnp.float32(sign)}
            return state.replace(collections={**state.collections, "adaptive": adaptive})

        return toy(change, objective=objective, adaptive=0.6, adaptive_examples=160)[1:]

    _, _, without = toy(objective=objective)
    state, metrics = at(0.0, 1.0)  # rises by 16 of 160 examples where three quarters of 1 are above the target
    np.testing.assert_allclose(metrics["loss"], without["loss"], rtol=1e-4)
    wanted = 0.1 * (0.75 + 0.25 * metrics["real_sign"] > 0.6)
    np.testing.assert_allclose([state.collections["adaptive"]["p"], metrics["p"]], wanted, atol=1e-6)
    state, metrics = at(0.8, -1.0)
    np.testing.assert_allclose(state.collections["adaptive"]["p"], 0.7, atol=1e-6)
    assert abs(metrics["loss"] - without["loss"]) > 1e-3


def test_data_that_does_not_fit_is_told(config):
    with pytest.raises(JaxstyleError, match="no class labels to condition on"):
        made(changed(config, conditional=True), classes=())
    with pytest.raises(JaxstyleError, match="no pictures of 30x30 pixels"):
        made(config, shape=(30, 30, 3))
