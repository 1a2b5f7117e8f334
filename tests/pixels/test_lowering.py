"""Every step of a stylisation compiles, as far as lowering can tell, for the machines users have."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from jaxstyle.perceptual.style import DISTANCES, StyleObjective, Targets, Weights
from jaxstyle.pixels import optimizers, parametrizations
from jaxstyle.pixels.method import Knobs, Method, advance, start

FEATURES = tiny.features()
METHODS = {
    "adam": (parametrizations.RGB, optimizers.adam()),
    "lbfgs": (parametrizations.FREE_RGB, optimizers.lbfgs(2)),
}
SHAPE = (32, 40, 3)
WEIGHTS = Weights(np.float32(1), np.float32(1), np.ones(len(tiny.TAPS), np.float32))


def targets(objective: StyleObjective, masked: bool) -> Targets:
    """The shapes of one picture's targets."""
    image, params = jnp.zeros(SHAPE), FEATURES.params
    mask = jnp.ones((1, *SHAPE[:2])) if masked else None
    seen = objective.look(image, params, objective.style_layers)
    styles = [objective.style_moments(image, params, mask[0] if masked else None)]
    style = objective.style_targets(styles, jnp.ones(1), mask, seen)
    return Targets(objective.content_targets(image, params), style, WEIGHTS)


@pytest.mark.parametrize(
    ("dtype", "remat", "masked"),  # every pair of values
    [("float32", False, False), ("float32", True, True), ("bfloat16", True, False), ("bfloat16", False, True)],
)
@pytest.mark.parametrize("style_loss", DISTANCES)
def test_a_step_lowers_for_every_platform(style_loss, dtype, remat, masked):
    # Not every combination with every optimiser: their code does not meet.
    optimizer = "lbfgs" if (style_loss == "gram") != masked else "adam"
    network = FEATURES.network.clone(remat=remat)
    objective = StyleObjective(network, ("relu4_2",), tiny.TAPS, style_loss, dtype)
    parametrization, transformation = METHODS[optimizer]
    method = Method(parametrization, objective, transformation)
    state = jax.eval_shape(functools.partial(start, method), jnp.zeros(SHAPE))
    data = jax.eval_shape(lambda: targets(objective, masked))
    knobs = Knobs(jnp.float32(0.1), jnp.float32(0.9), jnp.zeros(2, jnp.uint32))
    batch = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((2, *leaf.shape), leaf.dtype), (state, knobs, data))
    step = jax.vmap(functools.partial(advance, method), in_axes=(0, 0, 0, None))
    traced = jax.jit(step).trace(*batch, FEATURES.params)
    for platform in ("cpu", "cuda", "tpu"):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert "convolution" in text
    moved, terms = traced.out_info
    assert jax.tree.map(lambda leaf: leaf.dtype, moved) == jax.tree.map(lambda leaf: leaf.dtype, batch[0])
    assert all(term.dtype == jnp.float32 for term in terms.values())
