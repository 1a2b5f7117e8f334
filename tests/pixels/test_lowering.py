"""Every step of a stylisation compiles, as far as lowering can tell, for the machines users have."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from jaxstyle.perceptual.loss import PerceptualLoss, Weights
from jaxstyle.perceptual.style import DISTANCES
from jaxstyle.pixels import optimizers, parametrizations
from jaxstyle.pixels.method import HyperParameters, Method, advance, start
from jaxstyle.pixels.objectives import ObjectiveLoss, StageObjective

FEATURES = tiny.features()
METHODS = {
    "adam": (parametrizations.RGB, optimizers.adam()),
    "lbfgs": (parametrizations.FREE_RGB, optimizers.lbfgs(2)),
}
SHAPE = (32, 40, 3)
LU = {"cpu": "lapack_sgetrf_ffi", "cuda": "cusolver_getrf_ffi", "tpu": "LuDecomposition"}  # of Wasserstein-2
WEIGHTS = Weights(np.float32(1), np.float32(1), np.ones(len(tiny.TAPS), np.float32))


def stage_objective(loss: PerceptualLoss, masked: bool) -> StageObjective:
    """The objective of one picture."""
    image, params = jnp.zeros(SHAPE), FEATURES.params
    mask = jnp.ones((1, *SHAPE[:2])) if masked else None
    sizes = loss.extract(image, params, loss.style_layers)
    styles = [loss.style_moments(image, params, mask[0] if masked else None)]
    style = loss.style_targets(styles, jnp.ones(1), mask, sizes)
    return StageObjective(loss.objective(loss.content_targets(image, params), style, WEIGHTS))


@pytest.mark.parametrize(
    ("dtype", "remat", "masked"),  # every pair of values
    [("float32", False, False), ("float32", True, True), ("bfloat16", True, False), ("bfloat16", False, True)],
)
@pytest.mark.parametrize("style_loss", DISTANCES)
def test_a_step_lowers_for_every_platform(style_loss, dtype, remat, masked):
    # Not every combination with every optimiser: their code does not meet.
    optimizer = "lbfgs" if (style_loss == "gram") != masked else "adam"
    network = FEATURES.network.clone(remat=remat)
    loss = PerceptualLoss(network, ("relu4_2",), tiny.TAPS, style_loss, dtype)
    parametrization, transformation = METHODS[optimizer]
    method = Method(parametrization, ObjectiveLoss(network, dtype=dtype, descends=True), transformation)
    state = jax.eval_shape(functools.partial(start, method), jnp.zeros(SHAPE))
    data = jax.eval_shape(lambda: stage_objective(loss, masked))
    hyper = HyperParameters(jnp.float32(0.1), jnp.float32(0.9), jnp.zeros(2, jnp.uint32))
    batch = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((2, *leaf.shape), leaf.dtype), (state, hyper, data))
    step = jax.vmap(functools.partial(advance, method), in_axes=(0, 0, 0, None))
    traced = jax.jit(step).trace(*batch, FEATURES.params)
    for platform in ("cpu", "cuda", "tpu"):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert "stablehlo.convolution" in text
        # LU factors are a call of each platform's library, or of XLA's own on a TPU.
        assert (f"custom_call @{LU[platform]}" in text) == (style_loss == "wasserstein")
    moved, terms = traced.out_info
    assert jax.tree.map(lambda leaf: leaf.dtype, moved) == jax.tree.map(lambda leaf: leaf.dtype, batch[0])
    assert all(term.dtype == jnp.float32 for term in terms.values())
