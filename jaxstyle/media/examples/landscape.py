"""The example photo: a lake valley, rendered from a height map with perspective, shadows and reflection."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from jaxstyle.media.examples import props
from jaxstyle.media.examples.noise import downsample, fbm, mix, smoothstep

_HORIZON = 0.47  # where the eye level is, in picture heights from the top
_EYE = 0.42  # height of the camera over the water; one unit is some 30 metres
_MAP_WIDTH, _MAP_DEPTH, _MAP_TEXELS = 26.0, 22.0, 1536
_SUN = np.array([-0.72, 0.52, -0.46])  # from the left, a little behind the camera; x right, y up, z into the picture


def landscape(size: int) -> np.ndarray:
    """Renders a lake among mountains, with woods, houses and clouds, in the light of a late afternoon.

    Args:
      size: The longer side (the width), in pixels; the height is three quarters of it.

    Returns:
      Float32 `[round(0.75 * size), size, 3]` in [0, 1].
    """
    height, width = 2 * round(0.75 * size), 2 * size  # supersampled twice each way
    world, colors = _terrain(np.random.default_rng(3))
    sky = _sky(np.random.default_rng(8), height, width)
    above, water = _view(world, colors, sky, _EYE)
    mirrored = _with_things(_view(world, colors, sky, -_EYE)[0], world, -_EYE)
    picture = mix(above, _water(mirrored, np.random.default_rng(5)), water)
    picture = _with_things(picture, world, _EYE)
    picture = _foreground(picture, np.random.default_rng(6))
    return downsample(picture)


def _terrain(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Makes the terrain: heights `[depth, width]` over the water and sunlit colours `[depth, width, 3]`."""
    n = _MAP_TEXELS
    z = np.linspace(0, _MAP_DEPTH, n, dtype=np.float32)[:, None]
    x = np.linspace(-_MAP_WIDTH / 2, _MAP_WIDTH / 2, n, dtype=np.float32)[None]
    crags, rolling, fine = (fbm(rng, n, n, 6, 7, 0.42, ridged=True), fbm(rng, n, n, 9, 5), fbm(rng, n, n, 300, 2))
    beside = np.abs(x - 0.25 * np.sin(z * 0.7)) - (0.95 + 0.2 * z + 0.4 * rolling)
    peaks = smoothstep(8.0, 14.0, z + 0.25 * np.abs(x)) * (0.9 + 4.6 * crags**1.3)
    hills = smoothstep(-0.4, 4.5, beside) * (1.1 + 1.2 * rolling) * smoothstep(1.5, 5.0, z) * 1.25
    shore = np.clip(np.maximum(0.22 * beside, 0.35 * (z - 8.3)), -0.2, 0.14)
    bank = 0.09 * smoothstep(1.2, 1.0, z + 0.1 * rolling) - 0.03
    heights = np.maximum(shore + hills + peaks, bank)
    wood = smoothstep(0.1, 0.35, heights) * smoothstep(2.6, 1.7, heights + 0.7 * rolling) * smoothstep(2.0, 3.0, z)
    heights = heights + wood * (0.05 * np.abs(fine) + 0.06)
    return heights, _ground_color(heights, wood, rolling, fine, x)


def _ground_color(
    heights: np.ndarray, wood: np.ndarray, rolling: np.ndarray, fine: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """Colours the ground by height, slope and wood, lit by the sun: `[depth, width, 3]`."""
    step_z, step_x = _MAP_DEPTH / _MAP_TEXELS, _MAP_WIDTH / _MAP_TEXELS
    slope_z, slope_x = np.gradient(heights, step_z, step_x)
    length = np.sqrt(slope_x**2 + slope_z**2 + 1)
    sun = _SUN / np.linalg.norm(_SUN)
    lit = np.clip((-slope_x * sun[0] + sun[1] - slope_z * sun[2]) / length, 0, 1)
    reach = np.maximum.accumulate(heights + 0.75 * x, axis=1) - 0.75 * x  # what the light from the left skims over
    lit *= smoothstep(0.25, 0.0, reach - heights)
    color = mix((0.36, 0.47, 0.14), (0.62, 0.60, 0.24), smoothstep(-0.5, 0.7, rolling + fine))
    color = mix(color, (0.50, 0.45, 0.42), smoothstep(1.5, 2.6, heights + 0.5 * rolling))
    snow = smoothstep(2.5, 3.2, heights + 0.5 * rolling) * smoothstep(2.4, 1.3, np.hypot(slope_x, slope_z))
    color = mix(color, (0.97, 0.97, 1.0), snow)
    color = mix(color, mix((0.09, 0.20, 0.09), (0.27, 0.34, 0.10), smoothstep(-0.5, 0.6, fine + rolling)), wood)
    color = mix(color, (0.66, 0.58, 0.42), smoothstep(0.05, 0.0, heights))  # the beach
    light = mix((0.34, 0.40, 0.54), (1.45, 1.26, 1.0), lit)
    return np.clip(color * light, 0, 1)


def _view(world: np.ndarray, colors: np.ndarray, sky: np.ndarray, eye: float) -> tuple[np.ndarray, np.ndarray]:
    """Renders the view from height `eye` (negative: the mirror image in the water, upside down), and where water is."""
    height, width = sky.shape[:2]
    z = np.geomspace(0.7, _MAP_DEPTH * 0.99, 900).astype(np.float32)[:, None]
    u = (np.arange(width, dtype=np.float32) + 0.5) / height - width / height / 2
    column = (u * z / _MAP_WIDTH + 0.5) * (_MAP_TEXELS - 1)
    row = np.broadcast_to(z / _MAP_DEPTH * (_MAP_TEXELS - 1), column.shape)
    ground = _sample(world, row, column)
    # In the mirror there is no water, and the bank before the water hides nothing.
    level = np.maximum(ground, 0) if eye > 0 else np.where((ground > 0) & (z > 1.6), ground, -9)
    skyline = np.maximum.accumulate((level - eye) / z, axis=0)  # rises along each ray from near to far
    rows = _HORIZON - (np.arange(height) + 0.5) / height
    first = np.stack([np.searchsorted(skyline[:, c], rows) for c in range(width)], axis=1)
    hit, first = first < len(z), np.minimum(first, len(z) - 1)
    columns = np.arange(width)[None]
    seen = _sample(colors, row[first, columns], column[first, columns])
    haze = 1 - np.exp(-0.05 * np.maximum(z[first, 0] - 2, 0))
    picture = mix(sky, mix(seen, props.HAZE, haze), hit)
    return picture, hit & (ground[first, columns] <= 0)


def _sample(values: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Interpolates `values` `[N, M, ...]` bilinearly at fractional places."""
    top, left = np.clip(row, 0, values.shape[0] - 1.001), np.clip(column, 0, values.shape[1] - 1.001)
    i, j = top.astype(int), left.astype(int)
    down, right = top - i, left - j
    if values.ndim == 3:
        down, right = down[..., None], right[..., None]
    upper = values[i, j] * (1 - right) + values[i, j + 1] * right
    lower = values[i + 1, j] * (1 - right) + values[i + 1, j + 1] * right
    return (upper * (1 - down) + lower * down).astype(np.float32)


def _sky(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Paints the sky `[height, width, 3]`: a gradient, the glow of the sun, clouds."""
    y = np.linspace(0, 1 / _HORIZON, height, dtype=np.float32)[:, None] * np.ones((1, width), np.float32)
    x = np.linspace(0, 1, width, dtype=np.float32)[None]
    color = mix((0.20, 0.42, 0.74), (0.86, 0.88, 0.86), np.clip(y, 0, 1) ** 1.3)
    color = mix(color, (1.0, 0.86, 0.62), np.exp(-4 * (x**2 + (y - 0.9) ** 2)))
    # Clouds lie in a plane overhead, so their noise is squeezed towards the horizon.
    overhead = 1 / (1.4 - np.clip(y[:, 0], 0, 1))
    squeezed = ((overhead - overhead[0]) * 1.1 * height).astype(int) + height // 50
    noise = fbm(rng, 2 * height, width, 10, 6)
    thick = smoothstep(0.0, 0.55, noise)[squeezed]
    toward_sun = np.roll(noise, width // 60, axis=1)[squeezed - height // 60]
    bright = smoothstep(-0.35, 0.45, 1.4 * (noise[squeezed] - toward_sun) + 0.15)
    return mix(color, mix((0.66, 0.68, 0.76), (1.0, 0.97, 0.92), bright), 0.92 * thick)


def _water(mirrored: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turns the mirrored view over at the horizon, with ripples, and darkens it towards the viewer."""
    height, width = mirrored.shape[:2]
    waves = fbm(rng, height, width // 6, 90, 3)
    waves = np.asarray(Image.fromarray(waves).resize((width, height), Image.Resampling.BICUBIC))
    y = (np.arange(height, dtype=np.float32) + 0.5)[:, None] / height
    near = np.clip((y - _HORIZON) / (1 - _HORIZON), 0, 1)
    turned = (2 * _HORIZON - y + waves * 0.07 * near) * height
    rows = np.clip(turned, 0, height - 1).astype(int)
    reflection = mirrored[rows, np.arange(width)[None]]
    color = mix(reflection, (0.07, 0.22, 0.30), 0.18 + 0.55 * near + 0 * waves)
    return color + (0.16 * near * smoothstep(0.25, 0.8, waves))[..., None] * np.array([0.8, 0.95, 1.0], np.float32)


def _with_things(picture: np.ndarray, world: np.ndarray, eye: float) -> np.ndarray:
    """Draws houses and conifers into the view, far ones first."""
    height, width = picture.shape[:2]
    image = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)

    def project(x: float, y: float, z: float) -> tuple[float, float]:
        return width / 2 + x / z * height, (_HORIZON - (y - eye) / z) * height

    rng = np.random.default_rng(11)
    trees = [
        (z, side * (1.0 + 0.2 * z + rng.exponential(0.5)) + 0.25 * np.sin(0.7 * z), rng.uniform(0.25, 0.55))
        for z in rng.uniform(2.6, 8.0, 220)
        for side in (rng.choice([-1.0, 1.0]),)
    ]
    houses = [(4.0, 2.0, 0.55), (4.9, 2.75, 0.5), (5.3, 2.2, 0.4), (4.6, -2.1, 0.55)]
    things = [(z, props.conifer, x, scale) for z, x, scale in trees] + [
        (z, props.house, x, scale) for z, x, scale in houses
    ]
    for z, thing, x, scale in sorted(things, key=lambda item: -item[0]):
        place = np.array([z / _MAP_DEPTH]), np.array([x / _MAP_WIDTH + 0.5])
        ground = float(_sample(world, *(p * (_MAP_TEXELS - 1) for p in place))[0])
        thing(draw, project, x, max(ground, 0.02), z, scale)
    return np.asarray(image, np.float32) / 255


def _foreground(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws grass and flowers along the lower edge and a leafy tree at the left, flat and close."""
    height, width = picture.shape[:2]
    image = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    props.leafy_tree(draw, rng, height)
    props.meadow(draw, rng, height, width)
    return np.asarray(image, np.float32) / 255
