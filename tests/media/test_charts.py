"""The confusion matrix as a picture."""

import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.charts import CELL, MARGIN, confusion_chart


def test_cells_are_as_dark_as_their_share_of_the_row():
    chart = confusion_chart(np.array([[8.0, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]]), ("a", "b", "c"))
    assert chart.dtype == np.float32 and chart.min() >= 0 and chart.max() <= 1

    def red(row, column):  # of the corner of a cell, where no figure is
        return chart[MARGIN + row * CELL + 3, MARGIN + column * CELL + 3, 0]

    whole, none = 20 / 255, 1.0
    expected = [[0.8, 0.2, 0.0], [0.0, 0.0, 0.0], [0.5, 0.0, 0.5]]
    seen = [[(none - red(row, column)) / (none - whole) for column in range(3)] for row in range(3)]
    np.testing.assert_allclose(seen, expected, atol=0.005)  # eight bits


def test_a_matrix_of_other_classes_is_told():
    with pytest.raises(JaxstyleError, match="of 2 classes is 2×2, not"):
        confusion_chart(np.eye(3), ("a", "b"))
