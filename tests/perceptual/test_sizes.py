"""The one rule by which paintings are seen."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.perceptual.sizes import least_longer_side, painting_size


@pytest.mark.parametrize(
    ("shape", "wanted", "least", "enlarge", "expected"),
    [
        ((400, 600, 3), 512, 16, False, (341, 512)),  # by its longer side, not by the shorter one
        ((400, 600), 900, 16, False, (400, 600)),  # never above its own
        ((400, 600), 900, 16, True, (600, 900)),
        ((100, 800), 128, 32, False, (32, 256)),  # the deepest layer comes first
        ((10, 20), 16, 16, False, (16, 32)),
    ],
)
def test_sizes_by_hand(shape, wanted, least, enlarge, expected):
    assert painting_size(shape, wanted, least, enlarge=enlarge) == expected


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.integers(16, 3000), st.integers(16, 3000), st.integers(16, 2000), st.sampled_from([8, 16, 64]))
def test_a_painting_is_never_too_small_nor_larger_than_it_must_be(height, width, wanted, least):
    found = painting_size((height, width), wanted, least)
    assert min(found) >= least - 1  # rounded
    assert max(found) <= max(min(wanted, max(height, width)), least_longer_side((height, width), least))
