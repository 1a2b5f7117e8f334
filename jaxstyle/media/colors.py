"""Colour transforms: luma and chroma, and the colours of one picture matched to another's."""

from __future__ import annotations

import numpy as np

# NTSC: luma, then the two chroma axes, as rows (FCC 1953). The luma row sums to 1 and the others to 0,
# so that grey has no chroma.
_YIQ = np.array(
    [
        [0.299, 0.587, 0.114],
        [0.595901, -0.274557, -0.321344],
        [0.211537, -0.522736, 0.311199],
    ]
)
_RGB = np.linalg.inv(_YIQ)
LUMA = _YIQ[0]  # ITU-R BT.601, as Pillow's grey
# The variance of a step between neighbouring 8-bit levels: what varies less than this is noise, not colour.
_NOISE = (1 / 255) ** 2


def luma(rgb: np.ndarray) -> np.ndarray:
    """Computes the luma (BT.601) of pictures `[..., 3]` in [0, 1]: float32 `[...]` in [0, 1]."""
    return np.clip(rgb @ LUMA, 0, 1).astype(np.float32)


def rgb_to_yiq(rgb: np.ndarray) -> np.ndarray:
    """Converts `[..., 3]` in [0, 1] to NTSC YIQ, float64: luma in [0, 1], I in [-0.6, 0.6], Q in [-0.53, 0.53]."""
    return np.asarray(rgb, np.float64) @ _YIQ.T


def yiq_to_rgb(yiq: np.ndarray) -> np.ndarray:
    """Inverts `rgb_to_yiq`, without clipping: `[..., 3]` float64, outside [0, 1] for colours that no screen shows."""
    return np.asarray(yiq, np.float64) @ _RGB.T


def keep_luminance_only(result: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Joins the luma of a stylised picture and the chroma of the photo.

    Luminance-only transfer, Gatys et al. 2016, arXiv 1606.05897. Where the two together leave [0, 1], the
    chroma is made paler until they fit: luma and hue stay exact, while clipping each channel changes both.

    Args:
      result: `[H, W, 3]` in [0, 1], the luma's source.
      photo: `[H, W, 3]` in [0, 1], the chroma's source.

    Returns:
      Float32 `[H, W, 3]` in [0, 1].
    """
    luma = np.clip(rgb_to_yiq(result)[..., :1], 0, 1)
    chroma = rgb_to_yiq(photo)[..., 1:]
    offset = yiq_to_rgb(np.concatenate([np.zeros_like(luma), chroma], axis=-1))
    room = np.where(offset > 0, 1 - luma, luma)
    fits = np.min(room / np.maximum(np.abs(offset), 1e-12), axis=-1, keepdims=True)
    return np.clip(luma + offset * np.minimum(fits, 1), 0, 1).astype(np.float32)


def match_color(
    source: np.ndarray,
    target: np.ndarray,
    source_weight: np.ndarray | None = None,
    target_weight: np.ndarray | None = None,
) -> np.ndarray:
    """Recolours a picture so that its colours have the mean and covariance of another's.

    `x -> A (x - mean_s) + mean_t` with `A S A' = T`, S and T the covariances (colour matching of Gatys et al.
    2016, arXiv 1606.05897). Of the matrices with that property this takes the symmetric positive one,
    `A = S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2`: the Monge-Kantorovich map of Pitié and Kokaram 2007, which moves
    the colours least. (The paper's Image Analogies choice, `T^1/2 S^-1/2`, equals it where S and T commute.)
    Directions in which the source hardly varies (grey or constant pictures) are not blown up.

    Args:
      source: `[H, W, 3]` in [0, 1], to be recoloured; for `--preserve-color histogram` the style.
      target: `[H', W', 3]` in [0, 1], whose colours are wanted; the photo.
      source_weight: `[H, W]`, how much each pixel counts, such as its alpha; None (or zero all over) counts all alike.
      target_weight: `[H', W']`, likewise.

    Returns:
      Float32 `[H, W, 3]`, clipped to [0, 1].
    """
    return np.clip(_match_color_unclipped(source, target, source_weight, target_weight), 0, 1).astype(np.float32)


def _match_color_unclipped(
    source: np.ndarray,
    target: np.ndarray,
    source_weight: np.ndarray | None = None,
    target_weight: np.ndarray | None = None,
) -> np.ndarray:
    source_mean, source_covariance = _mean_and_covariance(source, source_weight)
    target_mean, target_covariance = _mean_and_covariance(target, target_weight)
    values, vectors = np.linalg.eigh(source_covariance)
    values = np.maximum(values, _NOISE)
    root = (vectors * np.sqrt(values)) @ vectors.T
    inverse_root = (vectors / np.sqrt(values)) @ vectors.T
    transport = inverse_root @ _square_root(root @ target_covariance @ root) @ inverse_root
    return (np.asarray(source, np.float64) - source_mean) @ transport.T + target_mean


def _mean_and_covariance(image: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.asarray(image, np.float64).reshape(-1, 3)
    counts = np.ones(len(pixels)) if weight is None or not weight.any() else np.asarray(weight, np.float64).reshape(-1)
    counts = counts / counts.sum()
    mean = counts @ pixels
    centred = pixels - mean
    return mean, (centred.T * counts) @ centred


def _square_root(matrix: np.ndarray) -> np.ndarray:
    """Takes the square root of a symmetric positive semidefinite matrix."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
