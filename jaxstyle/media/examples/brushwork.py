"""The example painting: curved strokes of thick paint that follow a whirling flow."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from jaxstyle.media.examples.noise import downsample, mix, smoothstep

# (x, y, strength, radius): the whirls of `brushwork`, in picture heights from the upper left corner
_WHIRLS = np.array(
    [
        (1.08, 0.22, 0.27, 0.13),
        (0.62, 0.36, -0.20, 0.17),
        (0.33, 0.17, 0.10, 0.09),
        (0.90, 0.52, 0.18, 0.09),
        (0.45, 0.56, -0.12, 0.07),
        (0.78, 0.10, -0.07, 0.07),
    ]
)


def brushwork(size: int) -> np.ndarray:
    """Paints a whirling evening sky over hills, in thousands of thick curved brush strokes lit from the upper left.

    Args:
      size: The longer side (the width), in pixels; the height is three quarters of it.

    Returns:
      Float32 `[round(0.75 * size), size, 3]` in [0, 1].
    """
    height, width = 2 * round(0.75 * size), 2 * size
    rng = np.random.default_rng(21)
    # The fourth channel is not opacity but how thick the paint lies: one drawing gives colour and relief.
    canvas = Image.new("RGBA", (width, height), (28, 40, 84, 0))
    draw = ImageDraw.Draw(canvas)
    for count, length, thick in ((1400, 0.16, 0.026), (3600, 0.095, 0.014), (3000, 0.06, 0.0085)):
        _strokes(draw, rng, height, count, length, thick)
    paint = np.asarray(canvas, np.float32) / 255
    relief = paint[..., 3]
    slope = np.roll(relief, (1, 1), (0, 1)) - np.roll(relief, (-1, -1), (0, 1))
    lit = paint[..., :3] * (1 - 0.30 * slope[..., None]) + 0.16 * np.clip(-slope - 0.2, 0, 1)[..., None]
    return downsample(lit)


def _stream(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Evaluates the stream function of the brush's flow; strokes follow its level lines."""
    total = 0.55 * y + 0.035 * np.sin(5 * x + 3 * y) + 0.10 * smoothstep(0.55, 0.8, y) * np.sin(6 * x + 1)
    for at_x, at_y, strength, radius in _WHIRLS:
        total = total + strength * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * radius**2))
    return total


def _flow(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes the unit direction of the strokes; along the dark tree they climb."""
    step = 1e-3
    dx = _stream(x, y + step) - _stream(x, y - step)
    dy = _stream(x - step, y) - _stream(x + step, y)
    tree = _tree(x, y)
    dx, dy = dx * (1 - tree) + 2e-3 * tree * np.sin(30 * y + 9 * x) * 0.35, dy * (1 - tree) - 2e-3 * tree
    length = np.hypot(dx, dy) + 1e-9
    return dx / length, dy / length


def _tree(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Masks the flame-shaped tree at the left: 1 inside, 0 outside."""
    half = 0.075 * np.clip((y - 0.16) / 0.55, 0, 1) ** 0.8 * (1 + 0.25 * np.sin(21 * y))
    return smoothstep(0.012, -0.012, np.abs(x - 0.205 - 0.02 * np.sin(8 * y)) - half) * (y > 0.16)


def _palette(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Chooses the colours at places, `[N, 3]`: bands along the flow in the sky, glowing whirls, hills, a tree."""
    band = 0.5 + 0.5 * np.sin(70 * _stream(x, y))
    color = mix((0.07, 0.14, 0.42), (0.22, 0.50, 0.72), band)
    color = mix(color, (0.62, 0.80, 0.76), smoothstep(0.75, 1.0, band) * smoothstep(0.1, 0.6, y))
    for at_x, at_y, strength, radius in _WHIRLS:
        r = np.hypot(x - at_x, y - at_y) / radius
        glow = np.where(strength > 0, 1.0, 0.45) * np.exp(-0.9 * r**2)
        color = mix(color, mix((0.98, 0.62, 0.10), (1.0, 0.93, 0.55), smoothstep(0.8, 0.1, r)), glow)
    ridge = 0.70 + 0.05 * np.sin(4.2 * x + 0.6) + 0.02 * np.sin(11 * x)
    land = mix((0.08, 0.24, 0.22), (0.55, 0.56, 0.14), 0.5 + 0.5 * np.sin(60 * _stream(x, y) + 1))
    land = mix(land, (0.80, 0.36, 0.10), smoothstep(0.82, 0.95, y) * band)
    color = mix(color, (0.10, 0.14, 0.36), smoothstep(-0.05, 0.0, y - ridge))
    color = mix(color, land, smoothstep(0.02, 0.04, y - ridge))
    bark = mix((0.05, 0.10, 0.10), (0.24, 0.26, 0.10), 0.5 + 0.5 * np.sin(140 * x))
    return mix(color, bark, _tree(x, y))


def _strokes(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, height: int, count: int, length: float, thick: float
) -> None:
    """Draws `count` strokes, each a bundle of bristles that follows the flow; lengths in picture heights."""
    points, bristles = 9, 5
    x, y = rng.uniform(-0.03, 4 / 3 + 0.03, count), rng.uniform(-0.03, 1.03, count)
    color = _palette(x, y) * (1 + rng.normal(0, 0.13, (count, 1))) + rng.normal(0, 0.035, (count, 3))
    step = length * rng.uniform(0.5, 1.2, count) / points
    path = np.empty((count, points, 2))
    for i in range(points):
        path[:, i] = np.stack([x, y], axis=-1)
        dx, dy = _flow(x, y)
        x, y = x + step * dx, y + step * dy
    along = np.asarray(np.gradient(path, axis=1))
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    across /= np.linalg.norm(across, axis=-1, keepdims=True) + 1e-9
    spread = thick * (np.linspace(-0.5, 0.5, bristles) * (1 - 1 / bristles))
    taper = np.sin(np.linspace(0.5, np.pi - 0.35, points)) ** 0.5  # narrow where the brush lands and lifts
    hairs = path[:, None] + spread[:, None, None] * taper[:, None] * across[:, None]
    tone = 1 + rng.normal(0, 0.09, (count, bristles, 1))
    relief = np.clip(0.6 - 0.35 * np.abs(np.linspace(-1, 1, bristles)) + rng.normal(0, 0.16, (count, bristles)), 0, 1)
    inks = np.concatenate([np.clip(color[:, None] * tone, 0, 1), relief[..., None]], axis=-1)
    lines, fills = (hairs * height).reshape(-1, points * 2), (inks * 255).astype(int).reshape(-1, 4)
    for line, fill in zip(lines.tolist(), fills.tolist(), strict=True):
        draw.line(line, fill=tuple(fill), width=max(1, round(1.35 * thick * height / bristles)), joint="curve")
