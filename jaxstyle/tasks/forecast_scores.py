"""Scores of forecast frames, as OpenSTL has them, and of trivial forecasts beside them."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxstyle.metrics.structural import psnr, ssim
from jaxstyle.training.task import Metrics

RANGE = 2.0  # of pixels, as OpenSTL's SSIM has it; see `ssim`


def frame_scores(frames: jax.Array, truth: jax.Array) -> Metrics:
    """Scores of forecasts.

    Args:
      frames: `[N, K, H, W, C]` in [0, 1], forecast.
      truth: Same shape, the true frames.

    Returns:
      `mse` and `mae`, summed over pixels and averaged over frames, `ssim` and `psnr`, averaged over frames, all `[N]`;
      `frame_mse` and `frame_ssim` by frame, `[N, K]`.
    """
    squared = jnp.sum(jnp.square(frames - truth), (2, 3, 4))
    similarity = ssim(frames, truth, value_range=RANGE)
    return {
        "mse": jnp.mean(squared, 1),
        "ssim": jnp.mean(similarity, 1),
        "mae": jnp.mean(jnp.sum(jnp.abs(frames - truth), (2, 3, 4)), 1),
        "psnr": jnp.mean(psnr(frames, truth), 1),
        "frame_mse": squared,
        "frame_ssim": similarity,
    }


def trivial_scores(inputs: jax.Array, truth: jax.Array, mean_frame: jax.Array) -> Metrics:
    """The squared error and SSIM of forecasts that take nothing to make, each `[N]`, as in `frame_scores`.

    Args:
      inputs: `[N, T, H, W, C]` in [0, 1].
      truth: The frames that follow, `[N, K, H, W, C]`.
      mean_frame: `[H, W, C]`.
    """
    scores = {}
    for name, frame in (
        ("copy_last", inputs[:, -1:]),
        ("mean_frame", mean_frame[None, None]),
        ("blank", jnp.zeros_like(mean_frame)[None, None]),
    ):
        frames = jnp.broadcast_to(frame, truth.shape)
        scores[f"{name}_mse"] = jnp.mean(jnp.sum(jnp.square(frames - truth), (2, 3, 4)), 1)
        scores[f"{name}_ssim"] = jnp.mean(ssim(frames, truth, value_range=RANGE), 1)
    return scores
