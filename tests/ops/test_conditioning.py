"""How labels enter, and batch normalisation over several devices."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.ops.conditioning import BatchNorm, Verdict, code_of


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_batch_norm_sees_the_batch_of_all_devices():
    module, x = BatchNorm(), 3 + 2 * normal(0, 8, 5, 4, 3)
    variables = module.init(jax.random.key(0), x, None, True)
    apply = functools.partial(module.apply, mutable=["batch_stats"])
    step = jax.pmap(lambda v, x: apply(v, x, None, True), "batch", in_axes=(None, 0), devices=jax.devices()[:4])
    out, changed = step(variables, x.reshape(4, 2, 5, 4, 3))
    mean, var = np.float64(x).mean((0, 1, 2)), np.float64(x).var((0, 1, 2))
    np.testing.assert_allclose(out.reshape(x.shape), (x - mean) / np.sqrt(var + 1e-5), atol=1e-4)
    statistics = changed["batch_stats"]["BatchNorm_0"]  # this batch's own, on every device
    np.testing.assert_allclose(statistics["mean"], np.tile(mean, (4, 1)), rtol=1e-4)
    np.testing.assert_allclose(statistics["var"], np.tile(var, (4, 1)), rtol=1e-4)
    still = module.apply({**variables, "batch_stats": {"BatchNorm_0": {"mean": mean, "var": var}}}, x, None, False)
    np.testing.assert_allclose(still, out.reshape(x.shape), atol=1e-4)


def test_batch_norm_has_the_variables_and_gradients_of_flaxs():
    ours, flaxs, x = BatchNorm(axis=None), nn.BatchNorm(momentum=0.0), 3 + 2 * normal(0, 4, 33, 6, 5)
    begun = flaxs.init(jax.random.key(0), x, use_running_average=False)
    for name, variables in ours.init(jax.random.key(0), x, None, True).items():
        jax.tree.map(np.testing.assert_array_equal, variables, {"BatchNorm_0": begun[name]})
    params = {"scale": 1 + 0.3 * normal(1, 5), "bias": normal(2, 5)}

    def loss(apply):
        return jax.jit(jax.value_and_grad(lambda params, x: jnp.sum(jnp.sin(apply(params, x))), (0, 1)))

    found = loss(lambda p, x: ours.apply({"params": {"BatchNorm_0": p}}, x, None, True, mutable=["batch_stats"])[0])
    wanted = loss(lambda p, x: flaxs.apply({"params": p}, x, use_running_average=False, mutable=["batch_stats"])[0])
    for a, b in zip(jax.tree.leaves(found(params, x)), jax.tree.leaves(wanted(params, x)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(1.0, np.abs(b).max()))


def test_batch_norm_of_classes_takes_scale_and_shift_from_the_label():
    module, x, labels = BatchNorm(classes=3, axis=None), normal(0, 4, 2, 2, 5), np.array([0, 2, 2, 1])
    variables = module.init(jax.random.key(0), x, labels, True)
    plain, _ = BatchNorm(axis=None).init_with_output(jax.random.key(0), x, None, True)
    first, _ = module.apply(variables, x, labels, True, mutable=["batch_stats"])
    np.testing.assert_allclose(first, plain, rtol=1e-5)  # it begins as the unconditional one
    scale, shift = normal(1, 3, 5), normal(2, 3, 5)
    params = {"scale": {"embedding": scale}, "shift": {"embedding": shift}}
    out, _ = module.apply({**variables, "params": params}, x, labels, True, mutable=["batch_stats"])
    expected = np.asarray(plain) * scale[labels][:, None, None] + shift[labels][:, None, None]
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)
    statistics = {"BatchNorm_0": {"mean": np.zeros(5, np.float32), "var": np.ones(5, np.float32)}}
    flat = module.apply({"params": params, "batch_stats": statistics}, x[:, 0, 0], labels, False)
    np.testing.assert_allclose(flat, x[:, 0, 0] * scale[labels] + shift[labels], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_verdict_is_linear_in_the_features_and_the_labels_own_vector(dtype):
    module, features, labels = Verdict(classes=3, dtype=dtype), normal(0, 4, 2, 5), np.array([0, 2, 2, 1])
    params = module.init(jax.random.key(0), features, labels)["params"]
    logits = module.apply({"params": params}, jnp.asarray(features, dtype), labels)
    kernel, own = params["Dense_0"]["kernel"], params["Embed_0"]["embedding"]
    flat = np.float64(features.reshape(4, 10))
    expected = flat @ np.float64(kernel)[:, 0] + np.sum(flat * np.float64(own)[labels], 1)
    assert logits.dtype == jnp.float32 and logits.shape == (4,)
    np.testing.assert_allclose(logits, expected, atol=1e-5 if dtype == jnp.float32 else 0.1)
    unlabelled = Verdict().apply({"params": {"Dense_0": params["Dense_0"]}}, features, None)
    np.testing.assert_allclose(unlabelled, flat @ np.float64(kernel)[:, 0], atol=1e-5)


def test_a_code_is_chosen_by_the_noise_as_often_as_its_share_says():
    noise = normal(1, 6000, 9)
    np.testing.assert_array_equal(code_of(jnp.asarray(noise), jnp.full(4, 0.25)), np.argmax(noise[:, :4], 1))
    shares = np.array([0.5, 0.125, 0, 0.375], np.float32)
    codes = np.asarray(code_of(jnp.asarray(noise), jnp.asarray(shares)))
    np.testing.assert_allclose(np.bincount(codes, minlength=4) / 6000, shares, atol=0.026)  # four standard deviations
    extreme = jnp.array([[-13.0, 5.9, -13.0, -13.0], [5.9, -13.0, 5.9, 5.8]])  # float32's normal noise ends at 5.6
    np.testing.assert_array_equal(code_of(extreme, jnp.asarray(shares)), [1, 0])


def test_a_code_is_guessed_by_a_linear_map():
    module, features = Verdict(codes=4), normal(0, 3, 2, 5)
    variables = module.init(jax.random.key(0), features, None)
    logits, seen = module.apply({"params": variables["params"]}, features, None, mutable=["codes"])
    guess = variables["params"]["guess"]
    expected = np.float64(features.reshape(3, 10)) @ np.float64(guess["kernel"]) + np.float64(guess["bias"])
    np.testing.assert_allclose(jax.tree.leaves(seen["codes"])[0], expected, atol=1e-5)
    assert logits.shape == (3,)
