"""Contact sheets: many labelled pictures in a grid, for sweeps and comparisons."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_resizing import fit_size, resize

INK = (40, 40, 40)


def contact_sheet(
    pictures: Sequence[np.ndarray], labels: Sequence[str], columns: int | None = None, cell: int = 256
) -> np.ndarray:
    """Lays pictures out in a labelled grid on white, row by row.

    Args:
      pictures: Each `[H, W, 3]` in [0, 1], of any shape; fitted into its cell, neither cropped nor stretched.
      labels: One label a picture, centred below it; shortened with an `...` where too long.
      columns: Pictures a row; by default the grid is about as many wide as high.
      cell: The longer side of every picture on the sheet, in pixels.

    Returns:
      Float32 `[H, W, 3]` in [0, 1].

    Raises:
      JaxstyleError: There is no picture, or not one label a picture.
    """
    if not pictures or len(pictures) != len(labels):
        raise JaxstyleError(
            f"a contact sheet needs pictures and one label each, but got {len(pictures)} pictures "
            f"and {len(labels)} labels"
        )
    columns = min(columns or math.ceil(math.sqrt(len(pictures))), len(pictures))
    tiles = [_thumbnail(picture, cell) for picture in pictures]
    rows = [range(start, min(start + columns, len(tiles))) for start in range(0, len(tiles), columns)]
    wide, high = max(tile.width for tile in tiles), [max(tiles[i].height for i in row) for row in rows]
    points = max(10, cell // 16)
    font, gap, line = ImageFont.load_default(size=points), max(4, cell // 20), 2 * points
    sheet = Image.new("RGB", (gap + columns * (wide + gap), gap + sum(high) + len(rows) * (line + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    top = gap
    for row, tallest in zip(rows, high, strict=True):
        for column, i in enumerate(row):
            middle = gap + column * (wide + gap) + wide // 2
            sheet.paste(tiles[i], (middle - tiles[i].width // 2, top + (tallest - tiles[i].height) // 2))
            label = shorten(labels[i], font, wide)
            draw.text((middle, top + tallest + line // 2), label, fill=INK, font=font, anchor="mm")
        top += tallest + line + gap
    return np.asarray(sheet, np.float32) / np.float32(255)


def _thumbnail(picture: np.ndarray, cell: int) -> Image.Image:
    height, width = fit_size(picture.shape[0], picture.shape[1], cell)
    small = resize(picture, height, width)
    return Image.fromarray(np.rint(small * 255).astype(np.uint8))


def shorten(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Shortens a label to at most `width` pixels, in the letters that the font has."""
    # Pillow's own font has no accents and no other scripts; an unaccented letter beats an empty box.
    plain = "".join(c for c in unicodedata.normalize("NFKD", label) if not unicodedata.combining(c))
    label = " ".join(plain.encode("ascii", "replace").decode().split())
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "...") > width:
        label = label[:-1]
    return label + "..."
