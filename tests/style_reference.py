"""Feed-forward stylisation in float64 NumPy and SciPy, from the papers and magenta's code."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from jaxstyle.ops.transport import LEAST_VARIANCE, ROUNDING


def convolved(x, kernel, stride=1):
    """`[H, W, C]` with reflection padding."""
    reach = kernel.shape[0] // 2
    padded = np.pad(np.float64(x), ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    height, width = x.shape[:2]
    out = np.zeros((height, width, kernel.shape[3]))
    for u, v in np.ndindex(kernel.shape[:2]):
        out += padded[u : u + height, v : v + width] @ np.float64(kernel[u, v])
    return out[::stride, ::stride]


def enlarged(x):
    """Nearest neighbours."""
    return x.repeat(2, 0).repeat(2, 1)


def normalised(x, gamma, beta):
    """Instance normalisation."""
    mean, variance = x.mean((0, 1)), x.var((0, 1))
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def stylised(params, picture, weights, blocks, last):
    """A whole network.

    Args:
      params: By layer, as `StyleNetwork` has them.
      picture: `[H, W, 3]`, sides multiples of 4.
      weights: `[S]`.
      blocks: Residual blocks.
      last: What makes a picture of the last convolution, given it and its parameters.
    """

    def norm(x, name):
        return normalised(x, *(weights @ np.float64(params[name][leaf]) for leaf in ("gamma", "beta")))

    def relu(x):
        return np.maximum(x, 0)

    x = picture
    for name, stride in (("contract1", 1), ("contract2", 2), ("contract3", 2)):
        x = relu(norm(convolved(x, params[name]["kernel"], stride), name))
    for i in range(1, blocks + 1):
        y = relu(norm(convolved(x, params[f"residual{i}_1"]["kernel"]), f"residual{i}_1"))
        x = x + norm(convolved(y, params[f"residual{i}_2"]["kernel"]), f"residual{i}_2")
    for name in ("expand1", "expand2"):
        x = relu(norm(convolved(enlarged(x), params[name]["kernel"]), name))
    x = convolved(x, params["expand3"]["kernel"])
    return last(norm(x, "expand3") if "gamma" in params["expand3"] else x + np.float64(params["expand3"]["bias"]))


def sigmoid(x):
    """The logistic function."""
    return 1 / (1 + np.exp(-x))


def transported(features, painting, least_variance=LEAST_VARIANCE, moving=None):
    """Optimal transport of features `[h, w, C]`, or others, to the Gaussian of a painting's, in float64."""

    def gaussian(x):
        x = np.float64(x).reshape(-1, x.shape[-1])
        cov = np.cov(x.T, bias=True)
        least = least_variance * np.trace(cov) / len(cov) + ROUNDING * np.square(x).mean(0).sum() + 1e-6
        return x.mean(0), cov + least * np.eye(len(cov))

    (mean, cov), (style_mean, style_cov) = gaussian(features), gaussian(painting)
    root = scipy.linalg.sqrtm(cov)
    inverse = np.linalg.inv(root)
    matrix = inverse @ scipy.linalg.sqrtm(root @ style_cov @ root) @ inverse
    return style_mean + ((features if moving is None else moving) - mean) @ matrix


def windows_transported(picture, painting, size, least_variance):
    """Optimal transport of all windows of a picture `[H, W, 3]`, and the mean of what becomes of each pixel."""

    def windows(x, margin):
        padded = np.pad(np.float64(x), ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
        cut = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (0, 1))
        return np.moveaxis(cut, 2, -1).reshape(*cut.shape[:2], -1)

    reach = size // 2
    seen = [windows(x, reach)[::2, ::2] for x in (picture, painting)]
    moved = transported(seen[0], seen[1], least_variance, windows(picture, size - 1))
    height, width = picture.shape[:2]
    moved = moved.reshape(height + size - 1, width + size - 1, size, size, -1)
    parts = [
        moved[size - 1 - i : size - 1 - i + height, size - 1 - j : size - 1 - j + width, i, j]
        for i, j in np.ndindex(size, size)
    ]
    return np.mean(parts, 0)
