"""`jaxstyle project`: the command, the file of latents that `jaxstyle sample` takes, resuming, what cannot be."""

import numpy as np
import pytest
import tiny
from latent_tasks import Styled, Unlabelled, opened

import jaxstyle
from jaxstyle import cli
from jaxstyle.errors import Interrupted, JaxstyleError
from jaxstyle.inference import latents, run, sample
from jaxstyle.jobs import project
from jaxstyle.jobs.execution import Observer
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.runner import run_job
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_resizing import resize
from jaxstyle.media.image_writing import write_picture


@pytest.fixture
def generator(monkeypatch):
    """A generator whose pictures of 5×10 pixels are its 50 latents; the run of it."""
    made = opened(Unlabelled())
    project._opened.cache_clear()
    for module in (run, sample, project):
        monkeypatch.setattr(module, "open_run", lambda *arguments: made)
    return made


@pytest.fixture
def photo(generator, tmp_path):
    """The path of a picture that the generator can draw."""
    (picture,) = latents.pictures(generator, latents.of_seeds(generator, [123]))
    write_picture(tmp_path / "photo.png", np.broadcast_to(picture[0], (5, 10, 3)).repeat(8, 0).repeat(8, 1))
    return str(tmp_path / "photo.png")


SETTINGS = {"iterations": 60, "learning_rate": 0.2, "layers": ("relu1_1",)}


def test_the_command_finds_latents_that_sample_takes(generator, photo, tmp_path, tiny_features, capsys):
    words = ["--iterations=60", "--learning-rate=0.2", "--layers=relu1_1", f"--features={tiny_features}"]
    assert cli.main(["project", "runs/gan", photo, "-o", str(tmp_path / "out.png"), *words]) == 0
    drawn = jaxstyle.sample("runs/gan", latents=tmp_path / "out.npz")
    hidden = latents.of_seeds(generator, [123]).values.reshape(5, 10, 1) / 10 + 0.5
    assert np.abs(drawn[0] - hidden).mean() < 0.5 * np.abs(hidden - 0.5).mean()  # .34; of other seeds 1.4
    shown = read_picture(tmp_path / "out.png").rgb
    np.testing.assert_allclose(resize(np.broadcast_to(drawn[0], (5, 10, 3)), 65, 130), shown, atol=0.02)
    made = jaxstyle.project("runs/gan", photo, features=str(tiny_features), **SETTINGS)
    np.testing.assert_allclose(made.found[0].values, np.load(tmp_path / "out.npz")["latents"], atol=1e-4)


def test_a_generator_is_opened_anew_only_for_another_checkpoint(generator, monkeypatch, tmp_path):
    opening: list[str] = []
    monkeypatch.setattr(project, "open_run", lambda *arguments: opening.append(arguments[0]) or generator)
    (tmp_path / "checkpoints" / "10").mkdir(parents=True)
    config = project.JOB.config(workdir=str(tmp_path))
    first, again = project.of_config(config), project.of_config(config)
    assert again[0] is first[0] and opening == [str(tmp_path)]
    (tmp_path / "checkpoints" / "20").mkdir()
    assert project.of_config(config)[0] is not first[0] and len(opening) == 2


@pytest.mark.slow
def test_it_is_resumed(generator, photo, tmp_path, tiny_features):
    config = project.JOB.config(workdir="runs/gan", features=str(tiny_features), **SETTINGS)

    def go(name, **more):
        files = Files({"contents": [photo]}, str(tmp_path / f"{name}.png"), resume=True)
        run_job(project.JOB, files, config, progress=False, **more)
        return np.load(tmp_path / f"{name}.npz")["latents"]

    calls = iter([False] * 20)
    with pytest.raises(Interrupted):
        go("halted", observer=Observer(stop=lambda: next(calls, True)))
    assert not (tmp_path / "halted.npz").exists()
    np.testing.assert_array_equal(go("halted"), go("whole"))


@pytest.mark.slow
def test_a_generator_draws_for_other_jobs(generator, pictures, tiny_features):
    made, _, _ = project.generator("runs/gan")
    paths = [str(pictures / name) for name in ("photo.png", "painting.png")]
    settings = {**tiny.SMALL, "features": str(tiny_features), "learning_rate": 0.3, "iterations": 10}
    drawn = jaxstyle.stylize(*paths, parametrization=made, **settings)
    assert np.ptp(drawn.picture, 2).max() < 1e-6  # it has no colours, as the generator has none
    losses = [row["loss"] for row in drawn.history if row["scale"] == 48]
    assert drawn.picture.shape == (36, 48, 3) and losses[-1] < losses[0]


def test_what_cannot_be_is_told(generator, monkeypatch):
    with pytest.raises(JaxstyleError, match="name the training whose generator it is by workdir"):
        project.generator("")
    with pytest.raises(JaxstyleError, match="the task 'toy' maps latents to no styles"):
        project.generator("runs/gan", space="w")
    monkeypatch.setattr(project, "open_run", lambda *arguments: opened(Styled()))
    with pytest.raises(JaxstyleError, match="the generator of 'runs/gan' is told a class: choose one by label"):
        project.generator("runs/gan")
    for space, shape in (("z", (1, 50)), ("w", (1, 2, 50)), ("w+", (1, 2, 50))):
        made, size, found = project.generator("runs/gan", space=space, label="b", candidates=3)
        picture = np.full((5, 10, 3), 0.5, np.float32)
        points = found(np.asarray(made.encode(picture)["latents"])[None])
        assert size == (5, 10) and points.values.shape == shape
        assert (points.labels is None) == (space != "z") and (space != "z" or points.labels.tolist() == [1])
