"""Charts: the confusion matrix of a classifier, and a loss over learning rates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.contact_sheet import INK, shorten

CELL = 44  # pixels
FONT_SIZE = 14
MARGIN = 130  # pixels for the names
WIDTH, HEIGHT = 720, 440  # pixels of a curve
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def confusion_chart(matrix: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Draws a confusion matrix: each row a true class, each cell the share predicted as its column's class, in %.

    Args:
      matrix: `[C, C]` counts or shares, rows true, columns predicted.
      classes: Names of the C classes.

    Returns:
      Float32 `[H, W, 3]` in [0, 1]; a cell is the darker, the larger its share of the row.

    Raises:
      JaxstyleError: The matrix does not have one row and one column a class.
    """
    count = len(classes)
    if matrix.shape != (count, count):
        raise JaxstyleError(f"a confusion matrix of {count} classes is {count}×{count}, not {matrix.shape}")
    totals = matrix.sum(1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    font = ImageFont.load_default(size=FONT_SIZE)
    side = MARGIN + count * CELL + FONT_SIZE
    chart = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(chart)
    for row in range(count):
        name = shorten(classes[row], font, MARGIN - FONT_SIZE)
        middle = MARGIN + row * CELL + CELL // 2
        pen.text((MARGIN - FONT_SIZE // 2, middle), name, fill=INK, font=font, anchor="rm")
        draw_column_label(chart, name, font, middle)
        for column in range(count):
            draw_cell(pen, (MARGIN + column * CELL, MARGIN + row * CELL), shares[row, column], font)
    pen.text((MARGIN // 2, FONT_SIZE), "true \\ predicted, %", fill=INK, font=font, anchor="mm")
    return np.asarray(chart, np.float32) / np.float32(255)


def draw_cell(pen: ImageDraw.ImageDraw, corner: tuple[int, int], share: float, font: Font) -> None:
    """Draws a cell, the bluer the larger its share, with the share in per cent where it is at least 0.05 %."""
    left, top = corner
    shade = tuple(round(255 - share * (255 - full)) for full in (20, 70, 140))
    pen.rectangle((left, top, left + CELL - 2, top + CELL - 2), fill=shade)
    if share >= 0.0005:
        text = f"{100 * share:.0f}" if share > 0.9995 else f"{100 * share:.1f}"
        pen.text(
            (left + CELL // 2, top + CELL // 2), text, fill="white" if share > 0.5 else INK, font=font, anchor="mm"
        )


def draw_column_label(chart: Image.Image, text: str, font: Font, middle: int) -> None:
    """Draws a column's name above the column, turned to be read from below."""
    label = Image.new("RGB", (MARGIN - FONT_SIZE, CELL), "white")
    ImageDraw.Draw(label).text((0, CELL // 2), text, fill=INK, font=font, anchor="lm")
    chart.paste(label.rotate(90, expand=True), (middle - CELL // 2, FONT_SIZE // 2))


def curve_chart(x: np.ndarray, y: np.ndarray, mark: float, title: str) -> np.ndarray:
    """Draws a curve over a logarithmic axis, with the decades as lines and one place marked.

    Args:
      x: `[N]`, rising, above 0.
      y: `[N]`.
      mark: The place, on the axis of `x`.
      title: Stands above.

    Returns:
      Float32 `[HEIGHT, WIDTH, 3]` in [0, 1].
    """
    font, edge = ImageFont.load_default(size=FONT_SIZE), MARGIN // 2
    low, high = float(y.min()), float(y[: np.argmin(y) + 1].max())
    high += 0.2 * (high - low)  # what comes after the least value may be cut off

    def place(at: float, value: float) -> tuple[float, float]:
        across = (np.log(at) - np.log(x[0])) / (np.log(x[-1]) - np.log(x[0]))
        up = (min(value, high) - low) / max(high - low, 1e-12)
        return edge + across * (WIDTH - 2 * edge), HEIGHT - edge - up * (HEIGHT - 2 * edge)

    chart = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(chart)
    for decade in range(math.ceil(np.log10(x[0]) - 1e-6), math.floor(np.log10(x[-1]) + 1e-6) + 1):
        column = place(10.0**decade, low)[0]
        pen.line((column, edge, column, HEIGHT - edge), fill="lightgrey")
        pen.text((column, HEIGHT - edge + FONT_SIZE), f"1e{decade}", fill=INK, font=font, anchor="mm")
    for value in (low, high):
        pen.text((edge - 4, place(x[0], value)[1]), f"{value:.3g}", fill=INK, font=font, anchor="rm")
    pen.line((place(mark, low), (place(mark, low)[0], edge)), fill=(200, 60, 40), width=2)
    pen.line([place(*point) for point in zip(x, y, strict=True)], fill=(20, 70, 140), width=2)
    pen.text((WIDTH // 2, edge // 2), title, fill=INK, font=font, anchor="mm")
    return np.asarray(chart, np.float32) / np.float32(255)
