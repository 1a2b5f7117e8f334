"""StyleGAN 2's networks: sizes, skip pictures, noise, the mean w and truncation, the deviation of a minibatch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from jaxstyle.models import stylegan2

LATENTS = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def generator():
    """A small generator, its variables with noise on, and its jitted application."""
    network = stylegan2.Generator((8, 8, 1), 4, mapping=2, axis=None)
    variables = jax.jit(lambda key: network.init(key, LATENTS, None, True))(jax.random.key(0))
    params = {**variables["params"]}
    params["conv1_1"] = {**params["conv1_1"], "strength": jnp.float32(1.0)}
    return network, {"params": params, "batch_stats": variables["batch_stats"]}


def test_layers_have_the_papers_shapes():
    network = stylegan2.Generator((32, 32, 3), 16, mapping=8)
    shapes = jax.eval_shape(lambda key: network.init(key, LATENTS, None, True), jax.random.key(0))["params"]
    kernels = {"/".join(path[:-1]): leaf.shape for path, leaf in flatten_dict(shapes).items() if path[-1] == "kernel"}
    assert [kernels[f"conv{i}_1"] for i in range(4)] == [(3, 3, c, c) for c in (128, 64, 32, 16)]
    assert [kernels[f"conv{i}_0"] for i in range(1, 4)] == [(3, 3, 2 * c, c) for c in (64, 32, 16)]
    assert [kernels[f"picture{i}"] for i in range(4)] == [(1, 1, c, 3) for c in (128, 64, 32, 16)]
    assert sum(name.startswith("mapping/dense") for name in kernels) == 8 and shapes["start"].shape == (4, 4, 128)
    images = jnp.zeros((2, 32, 32, 3))
    network = stylegan2.Discriminator((32, 32, 3), 16)
    shapes = jax.eval_shape(lambda key: network.init(key, images, None, True), jax.random.key(0))["params"]
    assert shapes["last"]["kernel"].shape == (3, 3, 129, 128)  # 128 features, and the deviation


@pytest.mark.slow
def test_a_picture_is_the_sum_of_those_of_all_sizes(generator):
    """Without the largest one's it is the smaller one, doubled bilinearly: eight rows of which four tell all."""
    network, variables = generator
    params = {**variables["params"], "picture1": jax.tree.map(jnp.zeros_like, variables["params"]["picture1"])}
    apply = jax.jit(lambda params: network.apply({**variables, "params": params}, LATENTS)[..., 0])
    ranks = [np.linalg.matrix_rank(apply(p), tol=1e-4).max() for p in (params, variables["params"])]
    assert ranks[0] == 4 < ranks[1]


def test_some_pictures_have_another_style_from_some_layer_on():
    network = stylegan2.Generator((16, 16, 3), 4, style_mixing=0.75)
    latents = jnp.asarray(np.random.default_rng(1).standard_normal((400, 8)), jnp.float32)
    other, mixed = jax.jit(network.other_latents)(latents)
    mixed = np.asarray(mixed)
    assert mixed.shape == (400, 6) and not mixed[:, 0].any() and (np.diff(mixed.astype(int)) >= 0).all()
    assert abs(mixed[:, -1].mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 400)
    assert set(mixed.sum(1)) == set(range(6))  # every layer but the first may be the first to differ
    assert abs(np.corrcoef(other.ravel(), latents.ravel())[0, 1]) < 0.1 and abs(np.std(other) - 1) < 0.1


@pytest.mark.slow
def test_the_path_length_penalty_has_finite_gradients_and_keeps_the_mean(generator):
    network, variables = generator
    network = network.clone(path_length=2.0)
    keys = jax.random.split(jax.random.key(0), 6)

    def penalty(params, memory):
        return network.penalty(params, LATENTS, None, keys, {"path_length": memory})

    run = jax.jit(jax.value_and_grad(penalty, has_aux=True))
    (value, (memory, metrics)), slopes = run(variables["params"], 1.0)
    np.testing.assert_allclose(memory["path_length"], 0.99 + 0.01 * metrics["path_length"], rtol=1e-5)
    assert value > 0 and all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(slopes))
    moved = [np.abs(leaf).max() > 0 for leaf in jax.tree.leaves((slopes["mapping"], slopes["conv1_1"]["kernel"]))]
    assert np.mean(moved) > 0.8


def test_noise_is_of_the_latent_in_training_and_one_for_all_later():
    train = stylegan2.noise_maps(jnp.asarray(LATENTS), 3, (4, 5), True)
    again = stylegan2.noise_maps(jnp.asarray(LATENTS[::-1].copy()), 3, (4, 5), True)
    np.testing.assert_array_equal(train, again[::-1])
    assert train.shape == (6, 4, 5, 1) and len(np.unique(np.asarray(train))) == train.size
    later = np.asarray(stylegan2.noise_maps(jnp.asarray(LATENTS), 3, (4, 5), False))
    assert np.ptp(later, 0).max() == 0 and np.std(later) > 0.5
    assert np.any(later != np.asarray(stylegan2.noise_maps(jnp.asarray(LATENTS), 4, (4, 5), False)))


@pytest.mark.slow
def test_truncation_goes_to_the_picture_of_the_mean_w(generator):
    network, variables = generator
    w = jax.jit(lambda params: stylegan2.Mapping(0, 2).apply({"params": params}, LATENTS, None))(
        variables["params"]["mapping"]
    )
    _, kept = jax.jit(lambda: network.apply(variables, LATENTS, None, True, mutable=["batch_stats"]))()
    np.testing.assert_allclose(kept["batch_stats"]["w"], np.mean(w, 0), atol=1e-5)

    def drawn(share):
        own = {"params": variables["params"], **kept}
        return np.asarray(jax.jit(lambda own: network.clone(truncation=share).apply(own, LATENTS))(own))

    whole, none = drawn(1.0), drawn(0.0)
    assert np.ptp(none, 0).max() < 1e-5 < 1e-2 < np.ptp(whole, 0).max()
    assert np.std(drawn(0.5), 0).mean() < np.std(whole, 0).mean()
    own, half = {"params": variables["params"], **kept}, network.clone(truncation=0.5)
    styles = half.mapped(own, LATENTS, None)
    points = np.asarray(w)
    mean = points.mean(0)
    np.testing.assert_allclose(styles, np.repeat((mean + (points - mean) / 2)[:, None], 4, 1), atol=1e-5)
    given = jax.jit(lambda own: network.apply(own, styles[:, 0], styles=styles))(own)
    np.testing.assert_allclose(given, drawn(0.5), atol=1e-5)


@pytest.mark.slow
def test_the_discriminator_is_told_how_much_a_batch_differs():
    network = stylegan2.Discriminator((8, 8, 1), 4, axis=None)
    images = np.random.default_rng(1).standard_normal((6, 8, 8, 1)).astype(np.float32)
    alike = images[:1].repeat(6, 0)
    variables = jax.jit(lambda key: network.init(key, images, None, True))(jax.random.key(0))
    apply = jax.jit(lambda images: network.apply(variables, images, None, True, mutable=["batch_stats"]))
    (various, kept), (same, none) = apply(images), apply(alike)
    assert kept["batch_stats"]["deviation"] > 0.1 > 1e-3 > none["batch_stats"]["deviation"]
    assert abs(float(various[0] - same[0])) > 1e-3  # of one and the same picture

    def penalty(params):
        def score(images):
            return jnp.sum(network.apply({"params": params}, images, None, True, mutable=["batch_stats"])[0])

        return jnp.sum(jax.grad(score)(images) ** 2)

    gradients = jax.jit(jax.grad(penalty))(variables["params"])
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradients))
