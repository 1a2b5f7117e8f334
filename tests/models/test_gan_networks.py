"""Generators and discriminators: published layers, shapes, dtypes, labels, self-modulation, rematerialisation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from jax import export

from jaxstyle.errors import JaxstyleError
from jaxstyle.models import dcgan, r3gan, resnet_gan
from jaxstyle.tasks.gan_config import ARCHITECTURES


def kernels(module, *inputs):
    """Shapes of all kernels by their layer's name."""
    params = jax.eval_shape(lambda key: module.init(key, *inputs, None, True), jax.random.key(0))["params"]
    leaves = flatten_dict(params, sep="/").items()
    return {name.removesuffix("/kernel"): leaf.shape for name, leaf in leaves if name.endswith("/kernel")}


def test_dcgan_at_28_pixels_has_two_layers():
    noise, picture = jnp.zeros((1, 100), jnp.float32), jnp.zeros((1, 28, 28, 1), jnp.float32)
    assert kernels(dcgan.Generator((28, 28, 1)), noise) == {
        "Dense_0": (100, 7 * 7 * 128),
        "Double_0": (4, 4, 64, 128),
        "Double_1": (4, 4, 1, 64),
    }
    assert kernels(dcgan.Discriminator((28, 28, 1)), picture) == {
        "Halve_0": (4, 4, 1, 64),
        "Halve_1": (4, 4, 64, 128),
        "Verdict_0/Dense_0": (7 * 7 * 128, 1),
    }


@pytest.mark.parametrize("module", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_generators_are_exported_for_any_number_of_latents(module):
    network = module.Generator((16, 16, 3), 4)
    variables = jax.eval_shape(lambda key: network.init(key, jnp.zeros((1, 8)), None, True), jax.random.key(0))
    latents = jax.ShapeDtypeStruct(export.symbolic_shape("n, 8"), jnp.float32)
    assert str(jax.eval_shape(network.apply, variables, latents).shape) == "(n, 16, 16, 3)"


def test_hidden_units_make_it_infogans():
    noise, picture = jnp.zeros((1, 62), jnp.float32), jnp.zeros((1, 28, 28, 1), jnp.float32)
    found = kernels(dcgan.Generator((28, 28, 1), hidden=1024), noise)
    assert (found["Dense_0"], found["Dense_1"]) == ((62, 1024), (1024, 7 * 7 * 128))
    found = kernels(dcgan.Discriminator((28, 28, 1), hidden=1024), picture)
    assert (found["Dense_0"], found["Verdict_0/Dense_0"]) == ((7 * 7 * 128, 1024), (1024, 1))


@pytest.mark.slow
def test_behind_a_hidden_layer_a_common_pattern_does_not_outweigh_the_noise():
    """The next layer's inputs are non-negative, so its kernels may add one pattern to every picture."""
    generator = dcgan.Generator((16, 16, 1), width=4, hidden=256)
    noise = np.random.default_rng(0).standard_normal((64, 10)).astype(np.float32)
    params = generator.init(jax.random.key(0), noise)["params"]
    pattern = jax.random.normal(jax.random.key(1), (1, params["Dense_1"]["kernel"].shape[1]))
    with_pattern = {**params, "Dense_1": {"kernel": params["Dense_1"]["kernel"] + pattern}}

    @jax.jit
    def deviation(params):
        generate = jax.vmap(
            lambda z: generator.apply({"params": params}, z, None, True, mutable="batch_stats")[0], axis_name="batch"
        )
        return generate(noise[None]).std(1).mean()

    assert deviation(with_pattern) > 0.5 * deviation(params)


@pytest.mark.parametrize(("side", "widest"), [(32, 256), (64, 512)])
def test_dcgan_is_the_papers(side, widest):
    noise, picture = jnp.zeros((1, 100), jnp.float32), jnp.zeros((1, side, side, 3), jnp.float32)
    found = kernels(dcgan.Generator((side, side, 3)), noise)
    assert found["Dense_0"] == (100, 4 * 4 * widest)  # a 4×4 transposed convolution of one pixel
    shapes = [shape for name, shape in found.items() if name.startswith("Double")]
    outputs = [widest >> i for i in range(1, len(shapes))]
    assert shapes == [(4, 4, out, 2 * out) for out in outputs] + [(4, 4, 3, 64)]
    found = kernels(dcgan.Discriminator((side, side, 3), norm=True), picture)
    assert [shape[3] for name, shape in found.items() if name.startswith("Halve")] == [64, *outputs[::-1][1:], widest]


def test_resnet_is_the_papers_at_32_pixels():
    noise, picture = jnp.zeros((1, 128), jnp.float32), jnp.zeros((1, 32, 32, 3), jnp.float32)
    found = kernels(resnet_gan.Generator((32, 32, 3)), noise)
    assert sum(shape == (3, 3, 256, 256) for shape in found.values()) == 6  # three blocks of two
    assert found["Conv_6"] == (3, 3, 256, 3) and found["Dense_0"] == (128, 4 * 4 * 256)
    found = kernels(resnet_gan.Discriminator((32, 32, 3)), picture)
    assert sum(shape == (3, 3, 128, 128) for shape in found.values()) == 7 and found["Conv_0"] == (3, 3, 3, 128)


def networks(name, shape, classes=0, **options):
    module = {"dcgan": dcgan, "resnet": resnet_gan, "r3gan": r3gan}[name]
    common = {"shape": shape, "width": 4, "classes": classes, "axis": None, **options}
    if name == "r3gan":
        common = {key: value for key, value in common.items() if key not in ("axis", "self_modulation")}
        common |= {"blocks": 1, "group": 4, "patch": 2}
    generator = module.Generator(**common)
    common.pop("self_modulation", None)
    if name == "resnet":
        common.pop("axis")
    return generator, module.Discriminator(**common)


@pytest.mark.parametrize("name", ["dcgan", "resnet", pytest.param("r3gan", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("shape", "classes", "dtype"), [((16, 24, 3), 5, jnp.bfloat16), ((28, 28, 1), 0, jnp.float32)])
def test_shapes_and_dtypes(name, shape, classes, dtype):
    generator, discriminator = networks(name, shape, classes, dtype=dtype)
    noise, labels = jax.random.normal(jax.random.key(0), (3, 10)), jnp.array([0, 1, 4]) if classes else None

    def run(key):
        variables = generator.init(key, noise, labels, True)
        images, _ = generator.apply(variables, noise, labels, True, mutable=["batch_stats"])
        d_variables = discriminator.init(key, images, labels, True)
        return variables, d_variables, images, discriminator.apply(d_variables, images, labels)

    variables, d_variables, images, logits = jax.jit(run)(jax.random.key(1))
    assert {leaf.dtype.name for leaf in jax.tree.leaves((variables, d_variables))} == {"float32"}
    assert images.shape == (3, *shape) and logits.shape == (3,) and logits.dtype == images.dtype == jnp.float32
    assert (np.abs(images).max() <= 1 or name == "r3gan") and np.std(images[0] - images[1]) > 0


@pytest.mark.parametrize("hidden", [0, 16])
def test_pictures_of_one_label_differ_as_much_as_those_of_all(hidden):
    """Before training: a label that outweighs the noise then goes on to do so."""
    generator, _ = networks("dcgan", (16, 16, 1), 5, hidden=hidden)
    noise, labels = jax.random.normal(jax.random.key(0), (50, 10)), jnp.arange(50) % 5
    made = jax.jit(lambda key: generator.init_with_output(key, noise, labels, True)[0])
    images, labels = np.asarray(made(jax.random.key(1))), np.asarray(labels)
    assert images[labels == 0].std(0).mean() > 0.8 * images.std(0).mean()


def test_a_label_changes_picture_and_logit():
    generator, discriminator = networks("dcgan", (16, 16, 3), 5)
    noise, labels, others = jax.random.normal(jax.random.key(0), (2, 10)), jnp.array([0, 1]), jnp.array([0, 2])

    def run(key):
        g_variables, d_variables = (
            generator.init(key, noise, labels, True),
            discriminator.init(key, images, labels, True),
        )
        shifts = g_variables["params"]["BatchNorm_0"]["shift"]["embedding"]  # zeros in the beginning
        g_variables["params"]["BatchNorm_0"]["shift"]["embedding"] = shifts + jnp.arange(5.0)[:, None]
        generated = [generator.apply(g_variables, noise, which) for which in (labels, others)]
        return generated, [discriminator.apply(d_variables, images, which) for which in (labels, others)]

    images = jax.random.normal(jax.random.key(1), (2, 16, 16, 3))
    generated, logits = jax.jit(run)(jax.random.key(2))
    for first, other in (generated, logits):
        np.testing.assert_allclose(first[0], other[0], atol=1e-6)
        assert np.abs(first[1] - other[1]).max() > 1e-6


@pytest.mark.parametrize("shape", [(30, 30, 3), (28, 34, 3), (8, 8, 1)])
def test_sides_that_cannot_be_halved_are_refused(shape):
    with pytest.raises(JaxstyleError, match=f"no pictures of {shape[1]}x{shape[0]} pixels"):
        dcgan.levels_of(shape)


@pytest.mark.parametrize("module", [dcgan, resnet_gan])
def test_self_modulation_adds_parameters(module):
    noise = jnp.zeros((6, 5), jnp.float32)
    sizes = [
        sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(network.init, jax.random.key(0), noise)["params"]))
        for network in (module.Generator((16, 16, 1), 4, self_modulation=on) for on in (False, True))
    ]
    assert sizes[1] > sizes[0]


@pytest.mark.parametrize("name", ["dcgan", *(pytest.param(n, marks=pytest.mark.slow) for n in ("resnet", "r3gan"))])
def test_rematerialized_they_compute_the_same(name):
    """Names and values of parameters, gradients and batch statistics, those of a gradient penalty included."""
    noise, images = jax.random.normal(jax.random.key(0), (3, 10)), jax.random.normal(jax.random.key(1), (3, 16, 16, 1))
    labels = jnp.array([0, 1, 1])
    pairs = [networks(name, (16, 16, 1), 2, self_modulation=True, remat=remat) for remat in (False, True)]
    generator, discriminator = pairs[0]
    made = jax.jit(lambda key: generator.init(key, noise, labels, True)["params"])(jax.random.key(2))
    d_variables = jax.jit(lambda key: discriminator.init(key, images, labels, True))(jax.random.key(3))

    def loss(params, generator, discriminator):
        fakes, statistics = generator.apply({"params": params[0]}, noise, labels, True, mutable=["batch_stats"])
        slopes = jax.grad(lambda images: discriminator.apply(params[1], images, labels, True).sum())(images)
        return discriminator.apply(params[1], fakes, labels, True).sum() + jnp.sum(slopes**2), statistics

    grads = [jax.grad(lambda params, pair=pair: loss(params, *pair), has_aux=True) for pair in pairs]
    expected, found = (jax.jit(grad)((made, d_variables)) for grad in grads)
    # Sums of another order; 1e-4 of the largest of an array, as float32 leaves of batches of three.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max()), found, expected)
    assert ["remat" in str(jax.make_jaxpr(grad)((made, d_variables))) for grad in grads] == [False, True]
