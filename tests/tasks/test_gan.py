"""GANs: the updates of a step, codes and samples; `test_contract.py` and `test_gan_settings.py` have the rest."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from gan_steps import IMAGES, alone, changed, distance, made, stepped

from jaxstyle.losses.adversarial import r1_penalty
from jaxstyle.tasks.gan_networks import LATENTS, Minibatch, great_circle
from jaxstyle.training.config import override


def guesses(task, images):
    """Discriminator's parameters -> the logits of codes that it guesses."""

    def guess(params):
        return task.networks.discriminator.apply({"params": params}, images, None, True, mutable=["codes"])[1]["codes"]

    return jax.jit(guess)


def own_noise(keys):
    """Keys of an update's noise."""
    return Minibatch(None, None, keys).keys_for(LATENTS)


def test_a_step_moves_both_networks_their_average_and_the_statistics(config):
    task, first, state, metrics = stepped(changed(config, r1=0.5, penalty_every=2))
    for name in ("generator", "discriminator"):  # Adam's first step is of its learning rate's length
        assert distance(first.params[name], state.params[name]) == pytest.approx(2e-4, rel=1e-2)
    decay = 2 / 11  # with which the average begins
    expected = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, first.params, state.params)
    assert distance(expected["generator"], state.ema["generator"]) < 1e-6
    assert distance(first.collections["generator"], state.collections["generator"]) > 0.01
    names = {"loss", "generator_loss", "r1", "real_logit", "fake_logit", "learning_rate"}
    assert set(metrics) == names | {"generator_gradient", "discriminator_gradient"}
    assert int(state.step) == 1
    # R1 at every second real picture, by the discriminator as it was before the step.
    discriminator, few = task.networks.discriminator, IMAGES[::2] / np.float32(127.5) - 1
    penalty = r1_penalty(lambda images: discriminator.apply({"params": first.params["discriminator"]}, images), few)
    np.testing.assert_allclose(metrics["r1"], np.mean(penalty), rtol=1e-4)


@pytest.mark.slow
def test_r1_and_r2_are_at_every_picture_and_their_weight_falls_on_a_cosine(config):
    config = changed(config, objective="relativistic", codes=3, r1=0.5, r2=0.25, final_penalty=0.2)
    task, first, _, metrics = stepped(config, lambda state: state.replace(step=jnp.int32(5)))  # the middle of ten
    params, discriminator = first.params["discriminator"], task.networks.discriminator
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.fold_in(jax.random.key(1), 5), i))(jnp.arange(16))
    real = IMAGES / np.float32(127.5) - 1

    @jax.jit
    def by_hand(generator):
        batch = task.networks.minibatch(jnp.asarray(real), None, keys)
        fake = alone(task.networks.generate, generator, batch)[0]
        logits, penalties = [], []
        for images in (batch.images, fake):
            logits.append(discriminator.apply({"params": params}, images))
            slope = jax.grad(lambda one: discriminator.apply({"params": params}, one[None])[0])
            penalties.append(jnp.mean(jax.vmap(lambda one, slope=slope: jnp.sum(slope(one) ** 2) / 2)(images)))
        return logits, penalties

    logits, (r1, r2) = jax.device_get(by_hand(first.params["generator"]))
    np.testing.assert_allclose((metrics["r1"], metrics["r2"]), (r1, r2), rtol=1e-4)
    adversarial = np.mean(np.logaddexp(0, np.float64(logits[1]) - logits[0])) - metrics["information"]
    np.testing.assert_allclose(metrics["loss"], adversarial + 0.6 * (0.5 * r1 + 0.25 * r2), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["stylegan2", "progressive"])
def test_with_r2_real_pictures_are_a_batch_of_their_own(config, architecture):
    """The deviation over a minibatch, which these discriminators are told of, is that of real pictures alone."""
    config = changed(config, architecture=architecture, objective="relativistic", r1=0.5, r2=0.25)
    task, first, state, metrics = stepped(config)
    real, discriminator = IMAGES / np.float32(127.5) - 1, task.networks.discriminator
    params, old = first.params["discriminator"], first.collections["discriminator"]["deviation"]

    def scored(images):
        return discriminator.apply({"params": params}, images, None, True, mutable=["batch_stats"])

    logits, seen = jax.jit(lambda images: alone(scored, images))(real)
    np.testing.assert_allclose(metrics["real_logit"], np.mean(logits), rtol=1e-4)
    moved, target = (now["deviation"] - old for now in (state.collections["discriminator"], seen["batch_stats"]))
    assert 0 < moved / target <= 1  # towards it


@pytest.mark.parametrize("updates", ["alternating", pytest.param("simultaneous", marks=pytest.mark.slow)])
def test_information_is_infogans_bound_and_lowers_both_losses(config, updates):
    def opinionated(state):
        """With guesses that are far apart; as they begin, information is next to nothing, right or wrong."""
        head = state.params["discriminator"]["Verdict_0"]
        biased = {**head, "guess": {**head["guess"], "bias": jnp.array([1.0, -2.0, 0.0])}}
        discriminator = {**state.params["discriminator"], "Verdict_0": biased}
        return state.replace(params={**state.params, "discriminator": discriminator})

    task, first, state, metrics = stepped(changed(config, codes=3, information=0.5, updates=updates), opinionated)
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.fold_in(jax.random.key(1), 0), i))(jnp.arange(16))
    batch, codes = (
        task.networks.minibatch(IMAGES, None, keys),
        np.argmax(task.networks.noise(own_noise(keys))[:, :3], 1),
    )

    @jax.jit
    def outputs(generator, discriminator):
        return alone(
            lambda: task.networks.discriminate(discriminator, {}, task.networks.generate(generator, batch)[0], None)
        )

    def by_hand(discriminator):
        """Information and the loss of the generator, in float64."""
        logits, seen = jax.device_get(outputs(first.params["generator"], discriminator))
        (guess,) = jax.tree.leaves(seen["codes"])
        guess = np.float64(guess) - np.log(np.sum(np.exp(np.float64(guess)), 1, keepdims=True))
        information = np.log(3) + np.mean(guess[np.arange(16), codes])
        return information, np.mean(np.logaddexp(0, -np.float64(logits))) - 0.5 * information

    information, _ = by_hand(first.params["discriminator"])
    assert abs(information) > 0.1
    np.testing.assert_allclose(metrics["information"], information, atol=1e-5)
    meets = state if updates == "alternating" else first
    np.testing.assert_allclose(metrics["generator_loss"], by_hand(meets.params["discriminator"])[1], atol=1e-5)
    plain = dataclasses.replace(task.networks, information=0.0)
    scaled = batch._replace(images=IMAGES / np.float32(127.5) - 1)
    fake = jax.jit(lambda params: alone(plain.generate, params, batch))(first.params["generator"])[0]
    loss = jax.jit(lambda params: alone(plain.discriminator_loss, params, {}, scaled, fake))(
        first.params["discriminator"]
    )
    np.testing.assert_allclose(metrics["loss"], loss[0] - 0.5 * information, atol=1e-5)
    # The running average of what codes are guessed of real pictures begins with equal shares.
    (guess,) = jax.device_get(jax.tree.leaves(guesses(task, scaled.images)(first.params["discriminator"])))
    shares = np.mean(scipy.special.softmax(np.float64(guess), 1), 0)
    assert np.ptp(shares) > 0.1
    decay = 2 / 11
    np.testing.assert_allclose(state.collections["codes"]["shares"], decay / 3 + (1 - decay) * shares, atol=1e-5)


def test_codes_are_drawn_by_their_shares_of_real_pictures(config):
    task = made(changed(config, codes=3))
    state = jax.jit(task.init)(jax.random.key(0))
    shift = state.ema["generator"]["BatchNorm_0"]["shift"]  # zeros in the beginning, as if there were no codes
    shift["embedding"] += jnp.arange(3.0)[:, None]
    sample = jax.jit(task.sample, static_argnums=2)

    def of(shares):
        collections = {**state.collections, "codes": {"shares": jnp.array(shares)}}
        return sample(state.replace(collections=collections), jax.random.key(0), 32)

    each = [of(shares) for shares in np.eye(3, dtype=np.float32)]
    mixed = of([0.5, 0.5, 0.0])
    own = [np.all(np.asarray(images) == np.asarray(mixed), (1, 2, 3)) for images in each]
    assert np.sum(own, 1).tolist()[2] == 0 and all(8 <= count <= 24 for count in np.sum(own, 1)[:2])  # 16 ± 2.8 of 32
    assert np.all(np.sum(own, 0) == 1)


@pytest.mark.slow
def test_alternating_and_simultaneous_differ_in_whom_the_generator_meets(config):
    """Its gradient is that of the loss against the discriminator after its update, or before."""
    config.optimizer.update(name="sgd", learning_rate=1.0)
    ends = {}
    for updates in ("alternating", "simultaneous"):
        task, first, state, metrics = stepped(changed(config, updates=updates))
        meets = (state if updates == "alternating" else first).params["discriminator"]
        keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.fold_in(jax.random.key(1), 0), i))(jnp.arange(16))
        batch = Minibatch(jnp.asarray(IMAGES), None, keys)

        def loss(params, task=task, meets=meets, batch=batch):
            fake, _ = task.networks.generate(params, batch)
            return task.networks.generator_loss(meets, {}, batch, fake)

        value, grads = jax.jit(lambda params, loss=loss: alone(jax.value_and_grad(loss), params))(
            first.params["generator"]
        )
        assert float(metrics["generator_loss"]) == pytest.approx(float(value), rel=1e-5)
        moved = jax.tree.map(lambda old, new: old - new, first.params["generator"], state.params["generator"])
        for way, gradient in zip(jax.tree.leaves(moved), jax.tree.leaves(grads), strict=True):
            np.testing.assert_allclose(way, gradient, atol=1e-3 * float(np.abs(gradient).max()) + 1e-7)
        ends[updates] = state, metrics
    (a, b), losses = (end[0].params["discriminator"] for end in ends.values()), [e[1] for e in ends.values()]
    assert distance(a, b) < 1e-6 and float(losses[0]["loss"]) == pytest.approx(float(losses[1]["loss"]), rel=1e-5)
    assert float(losses[0]["generator_loss"]) != pytest.approx(float(losses[1]["generator_loss"]), rel=1e-5)


def test_bfloat16_computes_with_float32_parameters_and_everything_is_averaged_over_devices(config):
    task = made(changed(override(config, {"dtype": "bfloat16"}), r1=0.5, penalty_every=2, augment=("translation",)))
    state = jax.eval_shape(task.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((2, 8, 16, 16, 3), np.uint8)

    def step(state, images):  # out_axes=None is refused where something differs between devices
        own = jax.vmap(
            lambda image: task.train_step(state, {"image": image}, jax.random.key(1)), axis_name="batch", out_axes=None
        )
        return own(images)

    moved, metrics = jax.eval_shape(step, state, images)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), moved) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), state
    )
    assert {leaf.dtype.name for leaf in jax.tree.leaves((moved.params, metrics))} == {"float32"}


def test_weights_are_clipped(config):
    task = made(changed(config, clip_weights=0.01))
    state = jax.jit(task.init)(jax.random.key(0))
    grads = jax.tree.map(jnp.zeros_like, state.params["discriminator"])
    moved, _ = alone(task.apply_discriminator_gradients, state, {}, grads)
    expected = jax.tree.map(lambda leaf: np.clip(leaf, -0.01, 0.01), state.params["discriminator"])
    assert distance(moved.params["discriminator"], expected) == 0
    assert distance(state.params["discriminator"], expected) > 0.01


def test_samples_are_pictures_of_their_key_and_label(config):
    task = made(changed(config, conditional=True))
    state = jax.jit(task.init)(jax.random.key(0))
    shift = state.ema["generator"]["BatchNorm_0"]["shift"]  # zeros in the beginning, as if there were no labels
    shift["embedding"] += jnp.arange(10.0)[:, None]
    sample = jax.jit(task.sample, static_argnums=2)
    labels = jnp.arange(6) % 3
    images = sample(state, jax.random.key(0), 6, labels)
    assert images.shape == (6, 16, 16, 3) and images.dtype == jnp.float32
    assert float(images.min()) >= 0 and float(images.max()) <= 1
    np.testing.assert_array_equal(images, sample(state, jax.random.key(0), 6, labels))
    for key, other in ((1, labels), (0, labels + 1)):
        assert distance(images, sample(state, jax.random.key(key), 6, other)) > 1e-6
    drawn = sample(state, jax.random.key(0), 6)
    assert drawn.shape == images.shape and distance(images, drawn) > 1e-6


def test_pictures_have_a_row_a_class_and_rows_between_two(config):
    task = made(changed(config, conditional=True))
    state = jax.eval_shape(task.init, jax.random.key(0))
    shapes = jax.eval_shape(task.pictures, state, {}, jax.random.key(0))
    assert {name: leaf.shape for name, leaf in shapes.items()} == {
        "samples": (100, 16, 16, 3),
        "interpolations": (64, 16, 16, 3),
    }
    task = made(config)
    state = jax.eval_shape(task.init, jax.random.key(0))
    assert jax.eval_shape(task.pictures, state, {}, jax.random.key(0))["samples"].shape == (64, 16, 16, 3)


def test_the_way_between_two_noises_keeps_their_length():
    start, end = np.random.default_rng(0).standard_normal((2, 50)).astype(np.float32)
    end *= np.linalg.norm(start) / np.linalg.norm(end)
    way = np.asarray(great_circle(start, end, jnp.linspace(0, 1, 5)))
    np.testing.assert_allclose(way[[0, -1]], [start, end], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), np.linalg.norm(start), rtol=1e-5)
    steps = np.sum(way[1:] * way[:-1], 1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)
