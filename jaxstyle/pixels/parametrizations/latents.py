"""Pictures that a trained generator draws: its latents are moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.ops.resampling import resize_image
from jaxstyle.pixels.parametrizations.base import Parametrization, unchanged


def latents(
    draw: Callable[[jax.Array], jax.Array],
    candidates: np.ndarray,
    project: Callable[[jax.Array], jax.Array] = unchanged,
) -> Parametrization:
    """The parametrisation of single pictures `[H, W, 3]` by the latents that a generator draws them from, resampled.

    Parameters are `{"latents", "frame"}`; the latter, `[H, W, 0]`, is empty and carries the picture's size. A picture
    is encoded by that one of some latents whose picture is nearest to it in pixels.

    Args:
      draw: Latents `[N, …]` -> pictures `[N, h, w, 3]` in [0, 1]; pure, the generator's parameters within.
      candidates: `[K, …]`, latents to begin from.
      project: Latents `[…]` -> the nearest allowed ones.
    """

    def framed(values: jax.Array, height: int, width: int) -> dict[str, jax.Array]:
        return {"latents": values, "frame": jnp.zeros((height, width, 0))}

    def encode(image: jax.Array) -> dict[str, jax.Array]:
        height, width, _ = image.shape
        drawn = resize_image(draw(jnp.asarray(candidates)), height, width)
        nearest = jnp.argmin(jnp.mean(jnp.square(drawn - image[None]), (1, 2, 3)))
        return framed(jnp.asarray(candidates)[nearest], height, width)

    def decode(params: dict[str, Any]) -> jax.Array:
        return resize_image(draw(params["latents"][None])[0], *params["frame"].shape[:2])

    return Parametrization(
        encode,
        decode,
        lambda params: {**params, "latents": project(params["latents"])},
        lambda params, height, width: framed(params["latents"], height, width),
    )
