"""Stylisation by other numbers than pixels: the loss falls at every scale, colours stay, results are reproducible."""

import itertools

import numpy as np
import pytest
import tiny

import jaxstyle
from jaxstyle import JaxstyleError, StyleTransferConfig, TextureConfig

PHOTO, STYLE = tiny.picture(0, 36, 48), tiny.picture(1, 40, 40)


def paint(parametrization, **changes):
    config = tiny.config(parametrization=parametrization, initial_iterations=12, iterations=8, devices=1, **changes)
    return jaxstyle.stylize(PHOTO, STYLE, config=config, features=tiny.features())


@pytest.mark.slow
@pytest.mark.parametrize("parametrization", ["fourier", "pyramid", "cppn"])
def test_the_loss_falls_at_every_scale(parametrization):
    # A CPPN's every weight moves the whole picture: a dozen steps must be small ones to go down steadily.
    made = paint(parametrization, **({"learning_rate": 5e-4} if parametrization == "cppn" else {}))
    assert made.picture.shape == (36, 48, 3) and 0 <= made.picture.min() < made.picture.max() <= 1
    scales = [list(rows) for _, rows in itertools.groupby(made.history, key=lambda row: row["scale"])]
    assert len(scales) == 2
    for rows in scales:
        assert rows[-1]["loss"] < (0.97 if parametrization == "cppn" else 0.9) * rows[0]["loss"]
    if parametrization != "cppn":  # which begins at the second scale where the first one ended
        assert scales[1][0]["loss"] < scales[0][0]["loss"]


@pytest.mark.slow
def test_lbfgs_moves_fourier_coefficients():
    made = paint("fourier", optimizer="lbfgs", learning_rate=0.3, size=34)
    assert made.history[-1]["loss"] < 0.7 * made.history[0]["loss"]


def test_step_sizes_are_the_parametrisations_own_unless_set():
    assert StyleTransferConfig().step_size == 0.04 == StyleTransferConfig(parametrization="pyramid").step_size
    assert StyleTransferConfig(parametrization="pixels").step_size == 0.02
    assert StyleTransferConfig(optimizer="lbfgs").parametrization == "pixels"
    assert StyleTransferConfig(parametrization="fourier").step_size == 0.04
    assert StyleTransferConfig(parametrization="fourier", optimizer="lbfgs").step_size == 1
    assert np.isclose(StyleTransferConfig(parametrization="cppn", learning_rate=0.1).step_size, 0.1)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (StyleTransferConfig(parametrization="pixel"), "parametrization 'pixel' is unknown; did you mean 'pixels'"),
        (
            StyleTransferConfig(parametrization="pyramid", optimizer="lbfgs"),
            "lbfgs moves one array.*use adam, or pixels",
        ),
        (TextureConfig(parametrization="fourier", tileable=True), "tileable needs parametrization pixels"),
    ],
)
def test_what_does_not_go_together_is_told(config, message):
    with pytest.raises(JaxstyleError, match=message):
        config.check()
