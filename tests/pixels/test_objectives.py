"""Objectives against float64 NumPy twins: values, gradients by central differences, the algebra, the pytree."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from jaxstyle import losses
from jaxstyle.errors import JaxstyleError
from jaxstyle.perceptual.loss import PerceptualLoss, Weights, painting_targets, picture_targets
from jaxstyle.pixels import objectives as o
from jaxstyle.pixels.objectives import Activations

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((3, 4, 5, 6))
OTHER = RNG.standard_normal((3, 3, 2, 7))
REFERENCE = RNG.standard_normal((1, 4, 5, 6))
VECTOR = RNG.standard_normal(6)
GUIDE = RNG.standard_normal((3, 3, 6))
LOGITS = RNG.standard_normal((3, 9))
PICTURES = RNG.random((3, 8, 9, 3))
WEIGHTS = Weights(np.float32(3), np.float32(0), np.ones(1, np.float32))


def seen(features=FEATURES, other=OTHER) -> Activations:
    taps = {"a": features, "b": other, "logits": LOGITS}
    as_float = functools.partial(jax.tree.map, lambda leaf: jnp.asarray(leaf, jnp.float32))
    return Activations(as_float(PICTURES), as_float(taps), as_float({"a": REFERENCE}))


def cosine(f):
    return np.mean(f @ VECTOR / (np.linalg.norm(f, axis=-1) * np.linalg.norm(VECTOR)))


def diversity(f):
    flat = f.reshape(3, 20, 6)
    grams = [(x.T @ x).ravel() for x in flat]
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    cosines = [grams[i] @ grams[j] / np.linalg.norm(grams[i]) / np.linalg.norm(grams[j]) for i, j in pairs]
    return -np.mean(cosines)


def alignment(f):
    return -sum(np.mean((f[i + d] - f[i]) ** 2) / 3.0**d for d in (1, 2) for i in range(3 - d)) / 3


def guided(f):
    return np.mean([max(p @ q for q in GUIDE.reshape(-1, 6)) for p in f.reshape(-1, 6)])


CASES = {
    "energy": (o.layer_energy("a"), lambda f: np.mean(f**2)),
    "mean": (o.layer_energy("a", "mean"), np.mean),
    "some channels": (o.layer_energy("a", channels=(1, 4)), lambda f: np.mean(f[..., [1, 4]] ** 2)),
    "channel": (o.channel("a", 4), lambda f: np.mean(f[..., 4])),
    "neuron": (o.neuron("a", 2), lambda f: np.mean(f[:, 2, 2, 2])),
    "neuron there": (o.neuron("a", 2, row=0, column=4), lambda f: np.mean(f[:, 0, 4, 2])),
    "direction": (o.direction("a", VECTOR), lambda f: np.mean(f @ VECTOR)),
    "cosine": (o.cosine("a", VECTOR), cosine),
    "diversity": (o.diversity("a"), diversity),
    "alignment": (o.alignment("a", 3.0), alignment),
    "interpolation": (
        o.channel_interpolation("a", 1, "a", 5),
        lambda f: f[0, ..., 1].mean() + (f[1, ..., 1].mean() + f[1, ..., 5].mean()) / 2 + f[2, ..., 5].mean(),
    ),
    "content": (o.content("a"), lambda f: np.mean((f - REFERENCE) ** 2) / np.mean(REFERENCE**2)),
    "difference": (o.activation_difference("a"), lambda f: np.mean(np.abs(f - REFERENCE))),
    "squared difference": (o.activation_difference("a", "l2"), lambda f: np.mean((f - REFERENCE) ** 2)),
    "guide": (o.guided("a", GUIDE), guided),
    "sum": (
        2 * o.channel("a", 1) - o.layer_energy("a") / 4 + -o.neuron("a", 0),
        lambda f: 2 * np.mean(f[..., 1]) - np.mean(f**2) / 4 - np.mean(f[:, 2, 2, 0]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case):
    """float32 against float64: sums of some hundred products of order one."""
    objective, twin = CASES[case]
    value, slope = jax.value_and_grad(lambda f: objective(seen(f)))(jnp.float32(FEATURES))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, twin(FEATURES), rtol=1e-5, atol=1e-6)
    for direction in RNG.standard_normal((2, *FEATURES.shape)):
        # 1e-6: far from the kinks of |x| and max for these numbers, and its own error is 1e-10.
        expected = (twin(FEATURES + 1e-6 * direction) - twin(FEATURES - 1e-6 * direction)) / 2e-6
        np.testing.assert_allclose(np.vdot(slope, direction), expected, rtol=1e-4, atol=1e-5)


def test_logits_and_smoothness():
    np.testing.assert_allclose(o.logit(3)(seen()), LOGITS[:, 3].mean(), rtol=1e-6)
    expected = np.mean([losses.total_variation(jnp.float32(picture)) for picture in PICTURES])
    np.testing.assert_allclose(o.total_variation()(seen()), expected, rtol=1e-6)


@pytest.mark.parametrize("style_loss", ["gram", "wasserstein"])
def test_style_and_content_are_stylisations_own(style_loss):
    """The same picture has the same terms as under `PerceptualLoss`, up to their weights."""
    features, layers = tiny.features(), ("relu2_1",)
    content, painting = tiny.picture(0, 24, 24), tiny.picture(1, 24, 24)
    image = painting + np.float32(0.1)
    loss = PerceptualLoss(features.network, layers, layers, style_loss)
    seen = [painting_targets(loss, painting, features.params)]
    *targets, _ = picture_targets(loss, content, features.params, seen, np.ones(1, np.float32), None)
    look = jax.jit(lambda picture: loss.extract(picture, features.params, layers)["relu2_1"][None])
    expected = loss.objective(*targets, WEIGHTS).terms(Activations(image, {"relu2_1": look(image)}, {}))
    view = Activations(image[None], {"relu2_1": look(image)}, {"relu2_1": look(content)})
    terms = (-o.style_of(features, painting, layers, style_loss) - 3 * o.content("relu2_1")).terms(view)
    assert set(terms) == {"style/relu2_1", "content/relu2_1"}
    for name, value in terms.items():
        np.testing.assert_allclose(-value, expected[name], rtol=1e-3)  # float32, by programs compiled apart


def test_terms_have_names_and_weights():
    both = o.channel("a", 1) + 2 * o.channel("a", 2) + o.channel("b", 0)
    assert both.layers == ("a", "b") and both.compared == () and o.content("b").compared == ("b",)
    terms = both.terms(seen())
    assert list(terms) == ["channel/a", "channel/b"]
    np.testing.assert_allclose(terms["channel/a"], FEATURES[..., 1].mean() + 2 * FEATURES[..., 2].mean(), rtol=1e-5)
    np.testing.assert_allclose(both(seen()), sum(terms.values()), rtol=1e-6)


def test_objectives_of_one_structure_are_one_program():
    """Index, weight and vector are leaves: one trace serves them all, and they stack under vmap."""
    traces = []

    @jax.jit
    def value(objective):
        traces.append(1)
        return objective(seen())

    wanted = [w * o.channel("a", i) + o.direction("a", VECTOR * w) for i, w in enumerate((1.0, 2.0, 3.0))]
    alone = [value(objective) for objective in wanted]
    assert len(traces) == 1
    value(o.channel("a", 0))
    assert len(traces) == 2
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *wanted)
    np.testing.assert_allclose(jax.vmap(lambda objective: objective(seen()))(stacked), alone, rtol=1e-5)


def test_a_picture_alone_is_neither_diverse_nor_aligned():
    one = Activations(jnp.zeros((1, 8, 8, 3)), {"a": jnp.float32(FEATURES[:1])}, {})
    assert o.diversity("a")(one) == 0 and o.alignment("a")(one) == 0


def test_dead_features_have_finite_gradients():
    for case in ("cosine", "diversity", "content", "guide"):
        objective, _ = CASES[case]
        slope = jax.grad(lambda f, objective=objective: objective(seen(f)))(jnp.zeros(FEATURES.shape))
        assert np.isfinite(slope).all(), case


def test_what_cannot_be_added_or_asked_for():
    for wrong in (lambda: o.channel("a", 0) + 1, lambda: o.channel("a", 0) * o.channel("a", 0)):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(JaxstyleError, match="unknown norm 'l3'"):
        o.layer_energy("a", "l3")
    with pytest.raises(JaxstyleError, match="unknown norm 'l0'"):
        o.activation_difference("a", "l0")
    with pytest.raises(JaxstyleError, match="unknown style loss 'grams'; did you mean 'gram'"):
        o.style("a", None, "grams")
    with pytest.raises(JaxstyleError, match="layer 'logits' has no positions; use `logit`"):
        o.channel("logits", 0)(seen())
    with pytest.raises(JaxstyleError, match="layer 'a' has positions; use `channel`"):
        o.logit(0, "a")(seen())
