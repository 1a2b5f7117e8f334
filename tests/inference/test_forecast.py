"""Going on with films, from Python and from the command line."""

import jax
import numpy as np
import pytest

import jaxstyle
from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import forecast as forecasting
from jaxstyle.media.film_reading import read_film
from jaxstyle.media.film_writing import write_frames
from jaxstyle.tasks import forecast
from jaxstyle.training import loop
from jaxstyle.training.config import as_config


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """Of one step of a tiny forecaster of colour films, 16×16."""
    workdir = tmp_path_factory.mktemp("film")
    config = as_config(forecast.Config())
    config.model.update(inputs=3, outputs=2, widths=(2,), patch=8)
    config.data.update(name="moving_shapes/tiny", data_dir=str(workdir / "data"), size=16, eval_split="test[:4]")
    config.update(train_steps=1, batch_size=4, devices=1, progress="off", classify=1.0)
    loop.run(config, workdir)
    return workdir


def film(frames=5, height=16, width=16, seed=0):
    return np.random.default_rng(seed).uniform(size=(frames, height, width, 3)).astype(np.float32)


@pytest.mark.slow
def test_only_the_last_frames_count(workdir):
    predicted = jaxstyle.forecast(workdir, film())
    assert (predicted.shape, predicted.dtype) == ((2, 16, 16, 3), np.float32)
    assert predicted.min() >= 0 and predicted.max() <= 1
    np.testing.assert_array_equal(predicted, jaxstyle.forecast(workdir, film()[2:]))
    np.testing.assert_allclose(jaxstyle.forecast(workdir, film(), 3)[:2], predicted, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_clips_are_told_apart(workdir, tmp_path, capsys):
    films, run = [film(seed=seed) for seed in range(2)], forecasting.open_forecaster(workdir)
    seen = jaxstyle.predict(workdir, films)
    expected = jax.nn.softmax(run.task.class_logits(run.state, np.stack(films)[:, 2:]))
    np.testing.assert_allclose(seen.probabilities, expected, rtol=1e-4, atol=1e-6)
    write_frames(tmp_path / "film.gif", films[0], 8)
    assert main(["predict", str(workdir), str(tmp_path / "film.gif")]) == 0
    path, label, *_ = capsys.readouterr().out.split()
    assert path.endswith("film.gif") and label in seen.classes


def test_frames_of_another_shape_are_cut_and_resized(workdir):
    run = forecasting.open_forecaster(workdir)
    wide = np.zeros((3, 32, 64, 3), np.float32)
    wide[:, :, 16:48] = 0.5  # the central square
    np.testing.assert_allclose(forecasting.input_frames(run, wide), 0.5, atol=0.01)
    grey = forecasting.input_frames(run, film()[..., :1])
    assert grey.shape == (3, 16, 16, 3)
    np.testing.assert_array_equal(grey[..., 0], film()[2:, ..., 0])


def test_the_command_writes_inputs_and_forecast(workdir, tmp_path, capsys):
    write_frames(tmp_path / "clip", film(), 8)
    target = tmp_path / "out.gif"
    assert main(["forecast", str(workdir), str(tmp_path / "clip"), "-o", str(target), "-n", "4"]) == 0
    assert capsys.readouterr().out.strip() == str(target)
    written = read_film(target)
    assert written.shape == (3 + 4, 16, 16, 3)
    assert np.mean(np.abs(written[:3] - film()[2:])) < 0.05  # a GIF has 256 colours


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["short.npy", "-o", "a.gif"], "the film has 2 frames, and this forecaster takes 3; give a longer one"),
        (["nowhere.gif", "-o", "a.gif"], "film 'nowhere.gif' does not exist"),
        (["clip.npy", "-o", "a.png"], "a film goes into a folder, a file ending in .gif, .apng, .webp or .mp4"),
        (["clip.npy", "-o", "no/frames"], "output folder 'no' does not exist"),
        (["clip.npy", "-o", "a.gif", "-n", "-1"], "-1 frames cannot be forecast"),
        (["clip.npy", "-o", "a.gif", "--fps", "0"], "--fps is 0; it must be at least 1"),
        (["clip.npy", "-o", "a.gif", "--checkpoint", "99"], "no checkpoint of step 99"),
    ],
)
def test_what_cannot_be_is_told(workdir, tmp_path, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(tmp_path)
    np.save("clip.npy", film())
    np.save("short.npy", film(2))
    assert main(["forecast", str(workdir), *words]) == 2
    assert sentence in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.npy", "short.npy"]


def test_other_runs_forecast_nothing(tiny_run):
    with pytest.raises(JaxstyleError, match="the task 'tiny_task' forecasts nothing"):
        jaxstyle.forecast(tiny_run, film())


def test_arrays_that_are_no_films_are_told(workdir):
    with pytest.raises(JaxstyleError, match=r"an array of shape \(5, 16, 16\) is no film"):
        jaxstyle.forecast(workdir, film()[..., 0])
