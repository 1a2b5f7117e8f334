"""Charts: the confusion matrix of a classifier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.contact_sheet import INK, shorten

CELL = 44  # pixels
FONT_SIZE = 14
MARGIN = 130  # pixels for the names
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
