"""The vector-quantised autoencoder: its bound, its prior's samples; `test_contract.py` has the rest."""

import functools

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.tasks import vqvae
from jaxstyle.training.config import override
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo

SMALL = {"codes": 6, "code_width": 4, "widths": (4, 8), "blocks": 1, "prior_blocks": 1}


@pytest.mark.slow
def test_bfloat16_computes_with_float32_parameters(config, tmp_path):
    training, _, metrics = contract.stepped(override(config, {"dtype": "bfloat16", "devices": 1}), tmp_path, 2)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(training.state.params)} == {"float32"}
    assert {value.dtype.name for value in metrics.values()} == {"float32"}


@functools.cache
def small():
    """A task for pictures of 8×8, and its first state."""
    config = override(vqvae.Config(), {f"model.{name}": value for name, value in SMALL.items()})
    spec = {"image": jax.ShapeDtypeStruct((8, 8, 1), np.uint8)}
    task = vqvae.make(config, RunInfo(Extent(100, 10), 50, spec))
    return task, jax.jit(task.init)(jax.random.key(0))


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1), np.uint8)


@pytest.mark.slow
def test_it_learns_and_so_do_prior_and_codebook(config, tmp_path):
    changes = {"devices": 1, "optimizer.learning_rate": 0.01}
    training = contract.begun(override(config, changes), tmp_path)
    rows = []
    for number in range(60):
        training.state, metrics = training.train_step(training.state, training.batch(number), training.train_key)
        rows.append(jax.device_get(metrics))
    first, last = ({name: np.mean([row[name] for row in part]) for name in rows[0]} for part in (rows[:3], rows[-5:]))
    assert last["reconstruction"] < 0.95 * first["reconstruction"]
    assert last["kl"] < 0.8 * 4 * np.log(6)  # nats, of four codes out of six that are equally likely
    assert last["codebook"] < first["codebook"]


def test_the_loss_is_the_bound_written_out():
    task, state = small()
    batch, keys = {"image": images(3)}, jax.random.split(jax.random.key(1), 3)
    metrics = jax.jit(task.eval_step)(state, batch, keys)
    pictures = batch["image"].astype(np.float64) / 255
    out = jax.tree.map(lambda x: np.asarray(x, np.float64), task.apply(state.params, jnp.float32(pictures)))
    p = 1 / (1 + np.exp(-out["logits"]))
    reconstruction = -np.sum(pictures * np.log(p) + (1 - pictures) * np.log(1 - p), (1, 2, 3))
    prior = np.exp(out["prior"]) / np.exp(out["prior"]).sum(-1, keepdims=True)
    chosen = np.take_along_axis(prior, out["indices"].astype(int)[..., None], -1)
    kl = -np.sum(np.log(chosen), (1, 2, 3))
    for name, wanted in (("reconstruction", reconstruction), ("kl", kl), ("loss", reconstruction + kl)):
        np.testing.assert_allclose(metrics[name], wanted, rtol=1e-4)
    np.testing.assert_allclose(metrics["usage"].sum(-1), 1, rtol=1e-6)


@pytest.mark.parametrize(("usage", "perplexity"), [([0.25] * 4, 4.0), ([1.0, 0, 0, 0], 1.0), ([0.5, 0.5, 0, 0], 2.0)])
def test_perplexity_is_the_number_of_codes_in_use(usage, perplexity):
    task, _ = small()
    summary = task.summary({"loss": 3.0, "usage": np.array(usage)})
    assert summary == {"loss": 3.0, "perplexity": pytest.approx(perplexity)}


def test_drawn_codes_follow_the_prior():
    """Frequencies of whole grids of codes against the product of the prior's conditionals."""
    task, state = small()
    params = jax.tree.map(lambda leaf: 4 * leaf, state.params)  # a first prior is nearly uniform
    keys = jax.random.split(jax.random.key(2), 4000)
    drawn = np.asarray(jax.jit(task.draw_codes)(params, keys))
    assert drawn.shape == (4000, 2, 2)
    logits = np.asarray(jax.jit(lambda p, i: task.apply(p, i, method="prior"))(params, drawn), np.float64)
    prior = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    frequency = np.eye(6)[drawn]
    # At each position drawn codes minus their probabilities given what was drawn before have mean zero.
    error = np.abs((frequency - prior).mean(0))
    assert np.all(error < 4.5 * np.sqrt((prior * (1 - prior)).mean(0) / 4000) + 1e-6)
    assert prior[:, 0, 0].std(0).max() < 1e-6 < 1e-3 < prior[:, 1, 1].std(0).max()  # the last depends on the others


def test_samples_are_pictures_by_key_and_number():
    task, state = small()
    sample = jax.jit(task.sample, static_argnums=2)
    few, many = sample(state, jax.random.key(4), 2), sample(state, jax.random.key(4), 5)
    assert many.shape == (5, 8, 8, 1) and many.min() >= 0 and many.max() <= 1
    np.testing.assert_allclose(few, many[:2], rtol=1e-5)
    with pytest.raises(JaxstyleError, match="this model is not conditional"):
        task.sample(state, jax.random.key(0), 2, jnp.zeros(2, jnp.int32))


def test_pictures_show_originals_beside_their_reconstructions():
    task, state = small()
    shown = jax.jit(task.pictures)(state, {"image": images(4)}, jax.random.key(0))
    np.testing.assert_allclose(shown["reconstructions"][::2], images(4)[:2] / 255, rtol=1e-6)
    assert {name: len(leaf) for name, leaf in shown.items()} == {"reconstructions": 4, "samples": 64}
    assert all(leaf.min() >= 0 and leaf.max() <= 1 for leaf in shown.values())


@pytest.mark.parametrize(("name", "value"), [("model.codes", 1), ("model.code_width", 1), ("commitment", -0.1)])
def test_settings_that_cannot_be_are_told(name, value):
    with pytest.raises(JaxstyleError, match=f"{name} is {value}; it must be at least"):
        vqvae.check(override(vqvae.Config(), {name: value}))
