"""The network of any style that comes with the package: what it is, and that it paints in styles that it never saw."""

import numpy as np
import pytest

import jaxstyle
from jaxstyle.cli import main
from jaxstyle.features import load
from jaxstyle.features.weights.readers import read_tensors
from jaxstyle.inference.style_model import BUNDLED, load_model
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.media.image_resizing import resize
from jaxstyle.media.image_writing import write_picture


def test_it_is_small_half_precision_and_says_where_it_is_from():
    assert BUNDLED.stat().st_size < 4 * 2**20
    tensors, metadata = read_tensors(BUNDLED)
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float16)} and set(metadata) == {"config"}
    load_model().check()  # which no user's start waits for
    notes = load_model().notes
    assert {"command", "data", "features", "licence", "seed", "steps"} <= set(notes) and notes["licence"] == "MIT"


def test_its_encoder_is_the_bundled_features():
    encoder, features = load_model().params["encoder"], load().params
    for name, leaves in encoder.items():
        for leaf, values in leaves.items():
            np.testing.assert_allclose(values, features[name][leaf], rtol=2**-10, atol=1e-6)


@pytest.mark.slow
def test_the_command_and_the_function_paint_without_a_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    photo = resize(read_picture("example:landscape").rgb, 96, 128)
    write_picture("photo.png", photo)
    painting = np.broadcast_to(np.float32([0.9, 0.5, 0.1]), (48, 64, 3)) * np.linspace(0.4, 1, 64)[None, :, None]
    write_picture("painting.png", painting)
    assert main(["apply", "photo.png", "--style", "painting.png", "-o", "out.png", "--devices=1"]) == 0
    assert capsys.readouterr().out == "out.png\n"
    made = jaxstyle.apply_style("photo.png", "painting.png")
    np.testing.assert_allclose(read_picture("out.png").rgb, made, atol=0.5 / 255 + 1e-4)
    assert read_settings("out.png")["model"] == BUNDLED.name
    # Its colours have the painting's mean and covariance, but for clipping.
    np.testing.assert_allclose(made.mean((0, 1)), painting.mean((0, 1)), atol=0.02)
    assert np.corrcoef(made.mean(-1).ravel(), photo.mean(-1).ravel())[0, 1] > 0.2  # and the photo's light
