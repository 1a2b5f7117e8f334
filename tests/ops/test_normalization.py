"""Channel sums, batch normalisation and instance normalisation against float64 NumPy, flax and the equations."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.ops.normalization import (
    BatchNorm,
    channel_broadcast,
    channel_sum,
    instance_norm,
    instance_statistics,
    merge_statistics,
    regional_statistics,
)

SHAPES = [(7,), (5, 3), (0, 3), (4, 37, 3), (2, 64, 33, 5), (3, 1, 2, 70, 4)]  # 37: a prime above `SHORT_SUM`


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_channel_sums_are_those_of_float64(shape):
    x = 3 + normal(0, *shape)
    expected = np.sum(np.float64(x).reshape(-1, shape[-1]), 0)
    np.testing.assert_allclose(jax.jit(channel_sum)(x), expected, rtol=1e-6)  # pairwise: some units in the last place


@pytest.mark.parametrize("shape", SHAPES)
def test_channel_sum_and_channel_broadcast_are_each_others_transpose(shape):
    x, vector = normal(1, *shape), normal(2, shape[-1])
    broadcast = channel_broadcast(vector, shape)
    np.testing.assert_array_equal(broadcast, np.broadcast_to(vector, shape))
    (by_x,) = jax.vjp(channel_sum, x)[1](jnp.asarray(vector))
    (by_vector,) = jax.vjp(lambda vector: channel_broadcast(vector, shape), vector)[1](x)
    np.testing.assert_array_equal(by_x, broadcast)
    np.testing.assert_array_equal(by_vector, channel_sum(x))


def test_second_derivatives_are_those_of_plain_sums():
    def slope(total, wide):
        def loss(x):
            mean = total(x) / 24
            return jnp.sum(jnp.sin(x - wide(mean, x.shape)) * wide(jnp.cos(mean), x.shape))

        return lambda x: jnp.sum(jnp.square(jax.grad(loss)(x)))

    def plain(vector, shape):
        return jnp.broadcast_to(vector.reshape(1, 1, 1, -1), shape)

    x = normal(3, 2, 4, 3, 5)
    ours = jax.jit(jax.grad(slope(channel_sum, channel_broadcast)))(x)
    expected = jax.jit(jax.grad(slope(lambda x: jnp.sum(x, (0, 1, 2)), plain)))(x)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_batch_norm_averages_statistics_over_devices():
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
    initial = flaxs.init(jax.random.key(0), x, use_running_average=False)
    for name, variables in ours.init(jax.random.key(0), x, None, True).items():
        jax.tree.map(np.testing.assert_array_equal, variables, {"BatchNorm_0": initial[name]})
    params = {"scale": 1 + 0.3 * normal(1, 5), "bias": normal(2, 5)}

    def loss(apply):
        return jax.jit(jax.value_and_grad(lambda params, x: jnp.sum(jnp.sin(apply(params, x))), (0, 1)))

    found = loss(lambda p, x: ours.apply({"params": {"BatchNorm_0": p}}, x, None, True, mutable=["batch_stats"])[0])
    wanted = loss(lambda p, x: flaxs.apply({"params": p}, x, use_running_average=False, mutable=["batch_stats"])[0])
    for a, b in zip(jax.tree.leaves(found(params, x)), jax.tree.leaves(wanted(params, x)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(1.0, np.abs(b).max()))


def test_class_conditional_batch_norm_takes_scale_and_shift_from_the_label():
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


def test_self_modulation_is_chens_equation_3():
    norm = BatchNorm(axis=None)
    x, noise = np.random.default_rng(0).standard_normal((2, 6, 5)).astype(np.float32)
    variables = norm.init(jax.random.key(0), x, None, True, noise)
    params = jax.tree.map(lambda leaf: np.asarray(leaf) + np.float32(0.1), variables["params"])
    out, _ = norm.apply({"params": params}, x, None, True, noise, mutable="batch_stats")
    own = params["BatchNorm_0"]
    plain = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * own["scale"] + own["bias"]
    hidden = np.maximum(noise @ params["modulation"]["kernel"] + params["modulation"]["bias"], 0)
    scale, shift = np.split(hidden @ params["modulated"]["kernel"] + params["modulated"]["bias"], 2, -1)
    np.testing.assert_allclose(out, plain * (1 + scale) + shift, atol=1e-4)


@pytest.mark.parametrize(("cuts", "offset"), [((5,), 0), ((1, 8), 100)])
def test_merged_instance_statistics_are_those_of_the_whole(cuts, offset):
    x = normal(0, 2, 12, 3, 4) + np.float32(offset)
    parts = [jax.jit(instance_statistics)(part) for part in np.split(x, cuts, 1)]
    merged = jax.jit(merge_statistics)(parts)
    np.testing.assert_array_equal(merged.count, 36)
    np.testing.assert_allclose(merged.mean, np.float64(x).mean((1, 2)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(merged.variance, np.float64(x).var((1, 2)), rtol=1e-4)


def test_regional_statistics_and_their_merging():
    x, shares = normal(0, 2, 8, 5, 3) + 3, np.random.default_rng(1).random((2, 8, 5, 2), np.float32)
    shares[:, :4, :, 1] = 0
    whole = regional_statistics(x, shares)
    for n, s in np.ndindex(2, 2):
        flat, weights = np.float64(x[n]).reshape(-1, 3), np.float64(shares[n, ..., s]).ravel()
        mean = np.average(flat, 0, weights)
        np.testing.assert_allclose(whole.mean[n, s], mean, rtol=1e-5)
        np.testing.assert_allclose(whole.variance[n, s], np.average((flat - mean) ** 2, 0, weights), rtol=1e-4)
    parts = [regional_statistics(x[:, rows], shares[:, rows]) for rows in (slice(4), slice(4, 8))]
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4), merge_statistics(parts), whole)


def test_instance_norm_is_its_formula():
    x, scale, shift = normal(0, 2, 5, 3, 4), normal(1, 2, 4), normal(2, 2, 4)
    wide = np.float64(x)
    expected = (wide - wide.mean((1, 2), keepdims=True)) / np.sqrt(wide.var((1, 2), keepdims=True) + 1e-5)
    expected = expected * scale[:, None, None] + shift[:, None, None]
    out = instance_norm(x, instance_statistics(x), scale, shift)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)
