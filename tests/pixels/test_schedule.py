"""The scale schedule: steps of two, downwards from the last."""

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.errors import JaxstyleError
from jaxstyle.pixels.schedule import Stage, scales, with_release
from jaxstyle.pixels.stylize import StyleTransferConfig, stages_of

few = settings(derandomize=True, deadline=None, max_examples=50)


@pytest.mark.parametrize(
    ("smallest", "largest", "expected"),
    [
        (128, 512, [128, 256, 512]),
        (128, 500, [125, 250, 500]),
        (128, 180, [180]),  # 90 is farther from 128
        (128, 182, [91, 182]),
        (512, 512, [512]),
        (128, 64, [64]),
        (1, 2, [1, 2]),
    ],
)
def test_scales(smallest, largest, expected):
    assert scales(smallest, largest) == expected


@few
@given(st.integers(16, 512), st.integers(0, 2000))
def test_scales_double_from_about_the_first_to_the_last(first, more):
    last = first + more
    found = scales(first, last)
    assert found[-1] == last
    assert first / 2**0.5 - 1 <= found[0] <= first * 2**0.5 + 1  # rounded to a pixel
    for below, above in itertools.pairwise(found):
        assert abs(above - 2 * below) <= 1.5  # both are rounded: half a pixel, and twice that
    assert scales(first, last, first) == [scale for scale in found if scale >= first]


def config(smallest, largest, first=2, iterations=1):
    return StyleTransferConfig(min_size=smallest, size=largest, initial_iterations=first, iterations=iterations)


def test_stages_keep_the_proportions_and_the_first_has_its_own_iterations():
    found = stages_of(config(128, 256, 70, 30), 16, [(600, 800), (300, 400)])
    assert found == [Stage(128, 96, 128, 70), Stage(256, 192, 256, 30, 8)]  # a quarter of 30, rounded


def test_the_last_stage_is_released_for_its_share_of_steps():
    released = dataclasses.replace(config(128, 256, 70, 30), release=0.4)
    assert [stage.released for stage in stages_of(released, 16, [(600, 800)])] == [0, 12]
    assert with_release(Stage(8, 6, 8, 5, 1), 1.0, 9) == Stage(8, 6, 8, 9, 9)


def test_a_picture_smaller_than_its_stages_is_enlarged():
    assert stages_of(config(40, 40), 16, [(10, 20)]) == [Stage(40, 20, 40, 2)]


def test_a_largest_below_the_smallest_makes_one_stage():
    assert stages_of(config(128, 64), 16, [(100, 50)]) == [Stage(64, 64, 32, 2)]


def test_the_first_stage_is_large_enough_for_the_deepest_layer():
    found = stages_of(config(128, 512), 32, [(100, 800)])
    assert [stage.scale for stage in found] == [256, 512]  # 8:1, so 32 px high at 256
    with pytest.raises(JaxstyleError, match="make size at least 256"):
        stages_of(config(128, 250), 32, [(100, 800)])


def test_pictures_of_other_shapes_have_no_common_plan():
    with pytest.raises(JaxstyleError, match="one shape"):
        stages_of(config(128, 256), 16, [(600, 800), (800, 600)])


@few
@given(st.integers(16, 3000), st.integers(16, 3000), st.integers(16, 256), st.integers(16, 1024))
def test_every_stage_fits_its_scale_and_keeps_the_shape(height, width, smallest, largest):
    found = stages_of(config(smallest, largest), 1, [(height, width)])
    assert [stage.iterations for stage in found] == [2] + [1] * (len(found) - 1)
    assert found[-1].scale == largest
    for stage in found:
        assert max(stage.height, stage.width) == stage.scale
        exact = min(height, width) * stage.scale / max(height, width)
        assert abs(min(stage.height, stage.width) - max(exact, 1)) <= 0.5
        assert (stage.height >= stage.width) == (height >= width) or stage.height == stage.width
