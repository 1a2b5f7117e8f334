"""The variational autoencoder: its terms, samples and pictures; `test_contract.py` has the rest."""

import functools

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxstyle
from jaxstyle.errors import JaxstyleError
from jaxstyle.tasks import vae
from jaxstyle.training.config import override
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo


@pytest.mark.slow
def test_the_bound_of_a_finished_run_takes_as_many_samples_as_one_asks_for(config, tmp_path):
    config.data.eval_split = "test[:16]"
    config.update(train_steps=1, iwae_samples=0)
    contract.loop.run(config, tmp_path / "without")
    contract.loop.run(override(config, {"iwae_samples": 7}), tmp_path / "with")
    assert "iwae" not in jaxstyle.evaluate(tmp_path / "without").own
    found = jaxstyle.evaluate(tmp_path / "without", iwae_samples=7).own["iwae"]
    np.testing.assert_allclose(found, jaxstyle.evaluate(tmp_path / "with").own["iwae"], rtol=1e-6)


@pytest.mark.slow
def test_bfloat16_computes_with_float32_parameters_and_the_weight_of_the_kl_rises(config, tmp_path):
    config = override(config, {"dtype": "bfloat16", "devices": 1, "beta": 2.0})
    training, _, metrics = contract.stepped(config, tmp_path, 3)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(training.state.params)} == {"float32"}
    assert {value.dtype.name for value in metrics.values()} == {"float32"}
    assert float(metrics["beta"]) == 1.0  # the third step of a warm-up over four, to 2


def small(classes=(), **changes):
    """A task for pictures of 8×8, and its first state."""
    model = {"latents": 4, "widths": (4, 8), "hidden": 8, "conditional": bool(classes)}
    config = override(vae.Config(), {**{f"model.{name}": value for name, value in model.items()}, **changes})
    vae.check(config)
    spec = {"image": jax.ShapeDtypeStruct((8, 8, 1), np.uint8)}
    task = vae.make(config, RunInfo(Extent(100, 10), 50, spec, classes))
    return task, jax.jit(task.init)(jax.random.key(0))


@functools.cache
def plain():
    return small()


@functools.cache
def conditional():
    return small(("a", "b", "c"))


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1), np.uint8)


@pytest.mark.slow
def test_it_learns_and_uses_its_latents(config, tmp_path):
    """Better than any constant picture: the entropy of a Gaussian with the pixels' own variance."""
    changes = {"model.likelihood": "gaussian", "model.binarize": "none", "model.conditional": False, "devices": 1}
    changes |= {"kl_warmup_steps": 0, "free_bits": 0.0, "optimizer.learning_rate": 0.01}
    training = contract.begun(override(config, changes), tmp_path)
    losses = []
    for number in range(120):
        training.state, metrics = training.train_step(training.state, training.batch(number), training.train_key)
        losses.append(float(metrics["loss"]))
    pixels = np.concatenate([np.ravel(training.batch(number)["image"]) for number in range(8)]) / 255
    constant = 8 * 8 * 3 * np.log(2 * np.pi * np.e * pixels.var()) / 2
    assert np.mean(losses[-5:]) < constant - 20  # nats


def test_terms_are_the_reference_of_one_draw():
    task, state = plain()
    batch, keys = {"image": images(3)}, jax.random.split(jax.random.key(1), 3)
    metrics = jax.jit(task.eval_step)(state, batch, keys)
    pictures = batch["image"].astype(np.float64) / 255
    noise = jnp.stack([jax.random.normal(jax.random.split(key, 3)[1], (4,)) for key in keys])
    logits, _, mean, log_variance = (
        np.asarray(leaf, np.float64) for leaf in task.apply(state.params, jnp.asarray(pictures, jnp.float32), noise)
    )
    p = 1 / (1 + np.exp(-logits))
    reconstruction = -np.sum(pictures * np.log(p) + (1 - pictures) * np.log(1 - p), (1, 2, 3))
    kl = 0.5 * np.sum(mean**2 + np.exp(log_variance) - log_variance - 1, 1)
    for name, wanted in (("reconstruction", reconstruction), ("kl", kl), ("loss", reconstruction + kl)):
        np.testing.assert_allclose(metrics[name], wanted, rtol=1e-4)
    assert "iwae" not in metrics


def test_one_importance_weighted_draw_is_the_loss_in_expectation_and_more_are_tighter():
    scores = {}
    for samples in (1, 40):
        task, state = small(iwae_samples=samples)
        # A posterior far from the prior and from the true one, else all bounds are equal.
        params = {**state.params, "posterior": jax.tree.map(lambda leaf: leaf + 0.7, state.params["posterior"])}
        batch = {"image": images(1).repeat(1000, 0)}
        keys = jax.random.split(jax.random.key(2), 1000)
        scores[samples] = jax.jit(task.eval_step)(state.replace(params=params), batch, keys)
    one, loss, many = (np.asarray(x) for x in (scores[1]["iwae"], scores[1]["loss"], scores[40]["iwae"]))
    error = 4 * np.sqrt((one.var() + loss.var()) / 1000)  # four standard errors
    assert abs(one.mean() - loss.mean()) < error
    assert many.mean() < loss.mean() - 3 * error


def test_dynamic_binarisation_draws_pixels_by_their_grey_level():
    observation = vae.Observation(binarize="dynamic")
    keys = jax.random.split(jax.random.key(3), 2000)
    drawn = np.asarray(jax.jit(observation.draw)(images(1).repeat(2000, 0), keys))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    grey = images(1)[0] / 255
    assert np.max(np.abs(drawn.mean(0) - grey)) < 5 * 0.5 / np.sqrt(2000)  # five standard errors of the worst pixel


def test_samples_are_pictures_by_key_number_and_label():
    task, state = conditional()
    sample = jax.jit(task.sample, static_argnums=2)
    few, many = sample(state, jax.random.key(4), 3), sample(state, jax.random.key(4), 6)
    assert many.shape == (6, 8, 8, 1) and many.min() >= 0 and many.max() <= 1
    np.testing.assert_allclose(few, many[:3], rtol=1e-5)
    told = [sample(state, jax.random.key(4), 3, jnp.full(3, label)) for label in range(3)]
    assert np.max(np.abs(told[0] - told[1])) > 1e-5
    chosen = [min(range(3), key=lambda label: np.max(np.abs(told[label][i] - few[i]))) for i in range(3)]
    for i, label in enumerate(chosen):  # drawn labels are labels
        np.testing.assert_allclose(few[i], told[label][i], rtol=1e-4)


def test_samples_come_from_the_moving_average():
    task, state = plain()
    other = jax.tree.map(lambda leaf: leaf + 0.1, state.params)
    sample = jax.jit(task.sample, static_argnums=2)
    averaged = sample(state.replace(ema=other), jax.random.key(5), 2)
    np.testing.assert_array_equal(averaged, sample(state.replace(params=other), jax.random.key(5), 2))


def test_labels_for_a_model_without_classes_are_refused():
    task, state = plain()
    with pytest.raises(JaxstyleError, match="this model is not conditional"):
        task.sample(state, jax.random.key(0), 2, jnp.zeros(2, jnp.int32))


@pytest.mark.parametrize("count", [1, 5, 64])
def test_pictures_are_sheets_of_squares(count):
    task, state = conditional()
    batch = {"image": images(count), "label": np.arange(count, dtype=np.int32) % 3}
    shown = jax.eval_shape(task.pictures, state, batch, jax.random.key(0))
    sizes = {name: leaf.shape[0] for name, leaf in shown.items()}
    rows = {1: 1, 5: 2, 64: 8}[count]
    pairs = {1: 1, 5: 2, 64: 32}[count]
    assert sizes == {"reconstructions": 2 * pairs, "samples": 9, "interpolations": rows**2, "traversals": 16}


def test_pictures_show_what_they_say():
    task, state = plain()
    batch = {"image": images(4)}
    shown = jax.jit(task.pictures)(state, batch, jax.random.key(0))
    np.testing.assert_allclose(shown["reconstructions"][::2], batch["image"][:2] / 255, rtol=1e-6)
    rebuilt = shown["reconstructions"][1::2]
    np.testing.assert_allclose(shown["interpolations"][::2], rebuilt, rtol=1e-4, atol=1e-6)  # rows begin there
    assert all(leaf.min() >= 0 and leaf.max() <= 1 for leaf in shown.values())


def test_interpolations_and_traversals_by_hand():
    between = vae.interpolated(jnp.asarray([[0.0, 0.0], [1.0, 2.0]]), jnp.asarray([[4.0, 2.0], [1.0, 0.0]]))
    np.testing.assert_allclose(between, [[0, 0], [4, 2], [1, 2], [1, 0]])
    through = vae.traversed(jnp.asarray([5.0, 6.0, 7.0]), jnp.asarray([2, 0]))
    np.testing.assert_allclose(through, [[5, 6, -3], [5, 6, 3], [-3, 6, 7], [3, 6, 7]])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model.conditional": True}, "a conditional model needs class labels"),
        ({"model.likelihood": "bernouli"}, "unknown model.likelihood 'bernouli'; did you mean 'bernoulli'"),
        ({"model.binarize": "static"}, "unknown model.binarize 'static'; known: 'none', 'dynamic'"),
        ({"model.latents": 0}, "model.latents is 0; it must be at least 1"),
        ({"beta": float("nan")}, "beta is nan; it must be at least 0"),
        ({"iwae_samples": -1}, "iwae_samples is -1"),
        ({"model.widths": (4, 4, 4, 4)}, "cannot be halved 4 times .* multiples of 16"),
    ],
)
def test_settings_that_cannot_be_are_told(changes, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        small(**changes)


@pytest.mark.parametrize("likelihood", ["gaussian", "discretized_logistic"])
def test_other_likelihoods_learn_their_scale(likelihood):
    task, state = small(**{"model.likelihood": likelihood})
    batch, keys = {"image": images(2)}, jax.random.split(jax.random.key(6), 2)
    grads = jax.jit(jax.grad(lambda params: jnp.mean(task.terms(params, batch, keys)[0])))(state.params)
    assert np.all(np.isfinite(grads["decoder"]["log_scale"])) and np.all(grads["decoder"]["log_scale"])
