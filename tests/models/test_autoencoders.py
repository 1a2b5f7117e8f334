"""The autoencoders: shapes, dtypes, parameter counts, what conditions what."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.models.autoencoder import Residual, coarse_shape
from jaxstyle.models.vae import VAE
from jaxstyle.models.vqvae import VQVAE, CodePrior, causal_mask
from jaxstyle.ops.resampling import depth_to_space

SHAPE = (8, 12, 3)
LATENTS = 5
APPLY = jax.jit(lambda model, params, *inputs, method: model.apply(params, *inputs, method=method), static_argnums=0,
                static_argnames="method")  # fmt: skip


def apply(model, params, *inputs, method="__call__"):
    return APPLY(model, params, *inputs, method=method)


def pictures(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).random(shape), jnp.float32)


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@functools.cache
def small_vae(**changes):
    model = VAE(SHAPE, latents=LATENTS, widths=(4, 6), hidden=8, blocks=1, **changes)
    inputs = jnp.zeros((1, *SHAPE)), jnp.zeros((1, LATENTS)), jnp.zeros(1, jnp.int32)
    return model, jax.jit(model.init)(jax.random.key(0), *inputs)


@functools.cache
def small_vqvae(**changes):
    model = VQVAE(SHAPE, codes=7, code_width=4, widths=(4, 6), prior_blocks=1, **changes)
    return model, jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, *SHAPE)))


def test_depth_to_space_by_hand():
    x = np.arange(2 * 3 * 8).reshape(1, 2, 3, 8)
    y = np.asarray(depth_to_space(jnp.asarray(x)))
    assert y.shape == (1, 4, 6, 2)
    for i, j, c in np.ndindex(4, 6, 2):
        assert y[0, i, j, c] == x[0, i // 2, j // 2, (2 * (i % 2) + j % 2) * 2 + c]


def test_a_residual_block_begins_as_the_identity():
    x = pictures(1, 4, 4, 6)
    block = Residual()
    np.testing.assert_array_equal(jax.jit(block.init_with_output)(jax.random.key(0), x)[0], x)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_vae_shapes_and_dtypes(dtype):
    model, params = small_vae(dtype=dtype, learned_scale=True)
    out = jax.eval_shape(model.apply, params, pictures(2, *SHAPE), jnp.zeros((2, LATENTS)))
    assert [leaf.shape for leaf in out] == [(2, *SHAPE), (3,), (2, LATENTS), (2, LATENTS)]
    assert {leaf.dtype for leaf in (*out, *jax.tree.leaves(params))} == {jnp.dtype("float32")}


def test_vae_parameters_are_those_of_the_recipe():
    model = VAE((28, 28, 1), blocks=1)
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)), jnp.zeros((1, 32)))["params"]
    block = 2 * (9 * 64 * 64 + 64)
    assert {name: count(part) for name, part in params.items()} == {
        "encoder": (9 * 32 + 32) + (9 * 32 * 64 + 64) + block,
        "fold": (49 * 64 + 1) * 256,
        "posterior": (256 + 1) * 64,
        "spread": (32 + 1) * 256,
        "unfold": (256 + 1) * 49 * 64,
        "decoder": block + (9 * 64 * 128 + 128) + (9 * 32 * 4 + 4),
    }


def test_vae_draws_with_the_noise_and_the_posteriors_deviation():
    model, params = small_vae()
    x, noise = pictures(2, *SHAPE), pictures(2, LATENTS)
    logits, scale, mean, log_variance = apply(model, params, x, noise)
    for one, other in zip(apply(model, params, x, method="encode"), (mean, log_variance), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    latents = np.asarray(mean) + np.exp(np.asarray(log_variance) / 2) * noise
    wanted, _ = apply(model, params, latents, method="decode")
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(scale, np.zeros(3))


def test_a_conditional_vae_uses_the_label_on_both_sides_and_a_plain_one_has_no_such_parameters():
    model, params = small_vae(classes=3)
    labels = jnp.asarray([0, 2])
    for inputs, method in ((pictures(2, *SHAPE), "encode"), (pictures(2, LATENTS), "decode")):
        first, second = (apply(model, params, inputs, some, method=method)[0] for some in (labels, labels * 0))
        np.testing.assert_array_equal(first[0], second[0])
        assert np.max(np.abs(first[1] - second[1])) > 1e-4
    assert count(params) - count(small_vae()[1]) == 3 * 4 + 3 * 8  # of the first width, and of the hidden layer


@pytest.mark.parametrize("make", [small_vae, small_vqvae])
def test_examples_do_not_mix(make):
    model, params = make()
    x, noise = pictures(2, *SHAPE), [jnp.zeros((2, LATENTS))] if make is small_vae else []
    before, after = (jax.tree.leaves(apply(model, params, some, *noise)) for some in (x, x.at[1].set(0.0)))
    for one, two in zip(before, after, strict=True):
        if one.shape[0] == 2:
            np.testing.assert_allclose(one[0], two[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(30, 28, 1), (28, 30, 3), (2, 2, 1)])
def test_sizes_that_cannot_be_halved_are_refused(shape):
    with pytest.raises(JaxstyleError, match=r"multiples of 4; choose a size by data.size=(28|32|4)$"):
        coarse_shape(shape, (32, 64))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_vqvae_shapes_and_dtypes(dtype):
    model, params = small_vqvae(dtype=dtype, learned_scale=True)
    out = jax.eval_shape(model.apply, params, pictures(2, *SHAPE))
    assert {name: leaf.shape for name, leaf in out.items()} == {
        "encoded": (2, 2, 3, 4),
        "quantized": (2, 2, 3, 4),
        "indices": (2, 2, 3),
        "logits": (2, *SHAPE),
        "log_scale": (3,),
        "prior": (2, 2, 3, 7),
    }
    assert {name for name, leaf in out.items() if leaf.dtype != jnp.float32} == {"indices"}
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


def test_vqvae_takes_the_nearest_code_and_decodes_it():
    model, params = small_vqvae()
    out = apply(model, params, pictures(2, *SHAPE))
    codebook = np.asarray(params["params"]["codebook"], np.float64)
    codebook /= np.linalg.norm(codebook, axis=1, keepdims=True)
    encoded = np.asarray(out["encoded"])
    np.testing.assert_allclose(np.linalg.norm(encoded, axis=-1), 1, rtol=1e-5)
    distances = np.linalg.norm(encoded[..., None, :] - codebook, axis=-1)
    np.testing.assert_array_equal(out["indices"], distances.argmin(-1))
    np.testing.assert_allclose(out["quantized"], codebook[out["indices"]], rtol=1e-5, atol=1e-6)
    logits, _ = apply(model, params, out["indices"], method="decode")
    np.testing.assert_allclose(logits, out["logits"], rtol=1e-4, atol=1e-5)


def test_the_encoder_learns_through_the_codes():
    model, params = small_vqvae()
    x = pictures(2, *SHAPE)
    grads = jax.jit(jax.grad(lambda p: jnp.sum(model.apply(p, x)["logits"])))(params)["params"]
    assert np.any(np.asarray(grads["encoder"]["Conv_0"]["kernel"]))
    np.testing.assert_array_equal(grads["codebook"], 0)  # straight through; the codebook has a loss of its own
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(grads["prior_network"]))


def test_causal_mask_by_hand():
    np.testing.assert_array_equal(causal_mask(3, include_center=False)[..., 0, 0], [[1, 1, 1], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(causal_mask(3, include_center=True)[..., 0, 0], [[1, 1, 1], [1, 1, 0], [0, 0, 0]])


def test_the_priors_logits_depend_on_earlier_codes_alone():
    prior = CodePrior(codes=5, width=6, blocks=2)
    indices = np.random.default_rng(0).integers(0, 5, 12)
    changed = np.repeat(indices[None], 13, 0)
    changed[np.arange(12), np.arange(12)] = (indices + 1) % 5  # the last one stays as it was
    logits, _ = jax.jit(prior.init_with_output)(jax.random.key(0), jnp.asarray(changed.reshape(13, 3, 4)))
    logits = np.asarray(logits).reshape(13, 12, 5)
    depends = np.any(np.abs(logits[:12] - logits[12]) > 1e-7, -1)  # [of, by]
    assert not np.any(np.tril(depends)), "a code changes logits at or before its own place"
    assert depends[0, 1] and depends[0, 4] and depends[4:8, 11].all()


@pytest.mark.parametrize(
    ("make", "more"), [(small_vae, [jnp.ones((2, LATENTS))]), pytest.param(small_vqvae, [], marks=pytest.mark.slow)]
)
def test_rematerialized_they_compute_the_same(make, more):
    """Names and values of parameters and gradients."""
    (plain, params), (again, _) = make(), make(remat=True)
    x = pictures(2, *SHAPE)

    def gradient(model):
        outputs = lambda params: jax.tree.leaves(model.apply(params, x, *more))  # noqa: E731
        return jax.grad(lambda params: sum(jnp.sum(jnp.sin(leaf)) for leaf in outputs(params)))

    expected, found = (jax.jit(gradient(model))(params) for model in (plain, again))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, expected)
    assert ["remat" in str(jax.make_jaxpr(gradient(model))(params)) for model in (plain, again)] == [False, True]
