"""The sheet's geometry, and that every picture and label is on it."""

import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.contact_sheet import contact_sheet

COLORS = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 1)]


def flat(color, height=64, width=64):
    return np.broadcast_to(np.float32(color), (height, width, 3))


def has(sheet, color):
    return np.all(np.abs(sheet - np.float32(color)) < 0.01, axis=-1)


def test_every_picture_is_there_in_reading_order():
    sheet = contact_sheet([flat(c) for c in COLORS], list("abcde"), cell=64)
    assert sheet.dtype == np.float32 and sheet.min() >= 0 and sheet.max() <= 1
    centers = []
    for color in COLORS:
        rows, columns = np.nonzero(has(sheet, color))
        assert rows.size == 64 * 64
        centers.append((rows.mean(), columns.mean()))
    assert centers[0][0] == centers[2][0] < centers[3][0] == centers[4][0]  # 3 and 2
    assert centers[0][1] < centers[1][1] < centers[2][1] and centers[3][1] == centers[0][1]


def test_mixed_shapes_keep_their_proportions():
    sheet = contact_sheet([flat((1, 0, 0), 100, 200), flat((0, 0, 1), 300, 150)], ["wide", "high"], cell=80)
    for color, height, width in [((1, 0, 0), 40, 80), ((0, 0, 1), 80, 40)]:
        rows, columns = np.nonzero(has(sheet, color))
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (height, width)


@pytest.mark.parametrize("columns, shape", [(1, "tall"), (5, "wide"), (99, "wide")])
def test_columns(columns, shape):
    height, width, _ = contact_sheet([flat(c) for c in COLORS], list("abcde"), columns, cell=64).shape
    assert (width > height) == (shape == "wide")


def test_the_border_is_white_and_labels_leave_ink():
    plain = contact_sheet([flat((1, 0, 0))], [""], cell=128)
    labelled = contact_sheet([flat((1, 0, 0))], ["content_weight=10"], cell=128)
    assert plain.shape == labelled.shape
    for sheet in (plain, labelled):
        assert (sheet[0] == 1).all() and (sheet[-1] == 1).all() and (sheet[:, 0] == 1).all()
    ink = np.nonzero((plain != labelled).any(axis=(1, 2)))[0]
    assert ink.size and ink.min() > 128  # below the picture
    assert not np.array_equal(labelled, contact_sheet([flat((1, 0, 0))], ["content_weight=20"], cell=128))


def test_long_labels_stay_in_their_cell_and_other_scripts_do_no_harm():
    pictures = [flat((1, 1, 1)), flat((1, 1, 1))]
    sheet = contact_sheet(pictures, ["a very long label " * 9, ""], columns=2, cell=128)
    inked = np.nonzero((sheet < 0.9).any(axis=(0, 2)))[0]
    assert inked.size and inked.max() < sheet.shape[1] / 2
    contact_sheet(pictures, ["Übermut", "東京\nzwei"], cell=64)


@pytest.mark.parametrize("pictures, labels", [([], []), ([flat((1, 0, 0))], []), ([flat((1, 0, 0))], ["a", "b"])])
def test_mismatch(pictures, labels):
    with pytest.raises(JaxstyleError, match="one label each"):
        contact_sheet(pictures, labels)
