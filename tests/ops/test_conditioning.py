"""The logits head by its equations, and the frequencies of sampled codes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.ops.conditioning import LogitsHead, sample_codes


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_logits_are_linear_in_the_features_and_the_labels_embedding(dtype):
    module, features, labels = LogitsHead(classes=3, dtype=dtype), normal(0, 4, 2, 5), np.array([0, 2, 2, 1])
    params = module.init(jax.random.key(0), features, labels)["params"]
    logits = module.apply({"params": params}, jnp.asarray(features, dtype), labels)
    kernel, embedding = params["Dense_0"]["kernel"], params["Embed_0"]["embedding"]
    flat = np.float64(features.reshape(4, 10))
    expected = flat @ np.float64(kernel)[:, 0] + np.sum(flat * np.float64(embedding)[labels], 1)
    assert logits.dtype == jnp.float32 and logits.shape == (4,)
    np.testing.assert_allclose(logits, expected, atol=1e-5 if dtype == jnp.float32 else 0.1)
    unlabelled = LogitsHead().apply({"params": {"Dense_0": params["Dense_0"]}}, features, None)
    np.testing.assert_allclose(unlabelled, flat @ np.float64(kernel)[:, 0], atol=1e-5)


def test_a_second_linear_map_predicts_the_code():
    module, features = LogitsHead(codes=4), normal(0, 3, 2, 5)
    variables = module.init(jax.random.key(0), features, None)
    logits, collections = module.apply({"params": variables["params"]}, features, None, mutable=["codes"])
    layer = variables["params"]["guess"]
    expected = np.float64(features.reshape(3, 10)) @ np.float64(layer["kernel"]) + np.float64(layer["bias"])
    np.testing.assert_allclose(jax.tree.leaves(collections["codes"])[0], expected, atol=1e-5)
    assert logits.shape == (3,)


def test_codes_have_the_frequencies_of_their_probabilities():
    noise = normal(1, 6000, 9)
    np.testing.assert_array_equal(sample_codes(jnp.asarray(noise), jnp.full(4, 0.25)), np.argmax(noise[:, :4], 1))
    probabilities = np.array([0.5, 0.125, 0, 0.375], np.float32)
    codes = np.asarray(sample_codes(jnp.asarray(noise), jnp.asarray(probabilities)))
    np.testing.assert_allclose(np.bincount(codes, minlength=4) / 6000, probabilities, atol=0.026)  # four deviations
    extreme = jnp.array([[-13.0, 5.9, -13.0, -13.0], [5.9, -13.0, 5.9, 5.8]])  # float32's normal noise ends at 5.6
    np.testing.assert_array_equal(sample_codes(extreme, jnp.asarray(probabilities)), [1, 0])
