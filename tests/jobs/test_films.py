"""Films stylised by optimisation: the temporal term, one program for all frames, resuming, files, bad input."""

import contextlib
import importlib.util
import itertools

import jax
import numpy as np
import pytest
import tiny
from films import gif_places

import jaxstyle
from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs import execution
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.registry import FILMS
from jaxstyle.jobs.runner import run_job
from jaxstyle.losses.temporal import temporal_distance
from jaxstyle.media.film_reading import open_film, read_film
from jaxstyle.media.film_writing import write_frames
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels import film, loop, stylize
from jaxstyle.pixels.film import FilmConfig
from jaxstyle.pixels.objectives import Activations

SMALL = {**tiny.SMALL, "size": 34, "frame_iterations": 3, "devices": 1}
needs_opencv = pytest.mark.skipif(importlib.util.find_spec("cv2") is None, reason="OpenCV is not installed")


def moving(count=3, height=26, width=34):
    """A picture seen through a window that moves two pixels to the right a frame."""
    wide = tiny.picture(3, height, width + 2 * count)
    return np.stack([wide[:, 2 * i : 2 * i + width] for i in range(count)])


@pytest.fixture
def here(tmp_path, monkeypatch, tiny_features, pictures):
    """The working folder: a film, its flow, a painting, the network, an empty folder."""
    monkeypatch.chdir(tmp_path)
    write_frames("film.gif", moving(), fps=10)
    (tmp_path / "flow").mkdir()
    for i in (1, 2):
        flow = np.full((26, 34, 2), (2.0, 0.0), np.float32)
        np.save(f"flow/backward_{i + 1}_{i}.npy", flow)
        np.save(f"flow/forward_{i}_{i + 1}.npy", -flow)
    write_picture("painting.png", read_picture(pictures / "painting.png").rgb)
    (tmp_path / "out").mkdir()
    return tmp_path


@pytest.fixture
def run(here, tiny_features):
    """Stylises `film.gif` with its flow."""

    def stylise(output, source="film.gif", flow="flow", changes=None, masks=(), **files):
        config = FilmConfig(**{**SMALL, "features": str(tiny_features), **(changes or {})})
        sources = {"contents": [source], "styles": ["painting.png"], "content_masks": masks}
        return run_job(FILMS["stylize"], Files(sources, output, flow=flow, **files), config)

    return stylise


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def flicker(frames):
    """The mean squared change of what moves two pixels a frame."""
    return np.mean([np.mean((after[:, :-2] - before[:, 2:]) ** 2) for before, after in itertools.pairwise(frames)])


@pytest.mark.slow
def test_the_temporal_term_holds_frames_together(run, here):
    run("out/%d.png", changes={"temporal_weight": 100.0})
    held = read_film("out")
    run("out/%d.png", changes={"temporal_weight": 0.0})
    apart = read_film("out")
    assert held.shape == apart.shape == (3, 26, 34, 3)
    np.testing.assert_array_equal(held[0], apart[0])  # nothing is before the first
    assert flicker(held) < 0.2 * flicker(apart)
    assert read_settings("out/2.png")["frame"] == 2


@pytest.mark.slow
def test_without_the_term_every_frame_is_a_picture_by_itself(run, here, tiny_features):
    run("out/%d.png", flow=None, changes={"temporal_weight": 0.0})
    config = tiny.config(size=34, features=str(tiny_features), devices=1)
    alone = jaxstyle.stylize(read_film("film.gif")[2], "painting.png", config=config).picture
    np.testing.assert_allclose(read_picture("out/2.png").rgb, alone, atol=0.6 / 255)


def test_all_frames_are_one_program(run, monkeypatch):
    traced = []

    def counting(frame, *expected):
        traced.append(frame.shape)
        return temporal_distance(frame, *expected)

    monkeypatch.setattr(film, "temporal_distance", counting)
    loop.compiled.cache_clear()  # what other tests have compiled
    run("out/%d.png")
    assert traced == [(26, 34, 3)]


def test_the_term_and_its_gradient():
    rng = np.random.default_rng(0)
    picture, expected = rng.random((2, 5, 6, 3)).astype(np.float32)
    trust = rng.random((5, 6), np.float32)
    objective = 3 * film.temporal(film.Expected(expected, trust))

    def loss(picture):
        return objective(Activations(picture, {}, {}))

    wanted = 3 * np.sum(trust * np.mean(np.float64(picture - expected) ** 2, -1)) / trust.sum()
    value, slope = jax.value_and_grad(loss)(picture)
    np.testing.assert_allclose(value, wanted, rtol=1e-5)
    np.testing.assert_allclose(slope, 2 * (picture - expected) * trust[..., None] / trust.sum(), rtol=1e-4, atol=1e-7)
    assert temporal_distance(picture, expected, np.zeros_like(trust)) == 0


def test_a_frame_is_held_to_the_one_before_beside_what_a_picture_is(pictures):
    config = FilmConfig(**SMALL, temporal_weight=3.0)
    inputs = tiny.inputs(contents=moving(1), styles=[read_picture(pictures / "painting.png").rgb])
    before, picture = (tiny.picture(seed, 26, 34) for seed in (5, 6))
    trust = np.random.default_rng(0).random((26, 34), np.float32)
    still = stylize.prepare(tiny.config(size=34, devices=1), tiny.features(), inputs)
    for expected in ([], [film.Expected(before, trust)]):
        problem = film.prepare(config, tiny.features(), inputs.having("expected", expected))
        stage = problem.stages[-1]
        assert len(problem.stages) == 1 and stage.iterations == (3 if expected else 4)
        np.testing.assert_array_equal(problem.start[0], before if expected else still.start[0])
        terms = terms_of(problem, picture, stage)
        held = 3 * np.sum(trust * np.mean(np.float64(picture - before) ** 2, -1)) / trust.sum() if expected else 0
        np.testing.assert_allclose(terms.pop("temporal"), held, atol=1e-6)
        assert terms == pytest.approx(terms_of(still, picture, still.stages[-1]), rel=1e-5)


def terms_of(problem, picture, stage):
    """The terms of the loss of a problem's first picture."""
    first = jax.tree.map(lambda leaf: leaf[0], problem.data(stage))
    first = first.having(jax.jit(problem.method.loss.match)(picture, first, problem.shared))
    loss, terms = jax.jit(problem.method.loss)(picture, first, problem.shared, jax.random.key(0))
    terms = {name: float(value) for name, value in terms.items()}
    assert float(loss) == pytest.approx(sum(terms.values()), rel=1e-5)
    return terms


def stopping_after(steps):
    """Replaces `interruptible`: so many questions are answered no, whoever asks."""
    left = iter(range(steps))

    @contextlib.contextmanager
    def interruptible():
        yield lambda: next(left, None) is None

    return interruptible


def test_a_film_resumed_is_the_same_film(run, here, monkeypatch):
    whole = run("out/film.gif")[0].read_bytes()
    for steps in (2, 6):  # in the first frame, in the second
        with monkeypatch.context() as patched:
            patched.setattr(execution, "interruptible", stopping_after(steps))
            with pytest.raises(execution.Interrupted, match="--resume goes on"):
                run("out/again.gif")
        assert names(here / "out") == [".again.gif.frames", "film.gif"]
        assert run("out/again.gif", resume=True)[0].read_bytes() == whole
        (here / "out" / "again.gif").rename(here / "done.gif")
    (here / "done.gif").rename(here / "out" / "again.gif")
    monkeypatch.setattr(execution, "optimize", lambda *_, **__: pytest.fail("it was there already"))
    run("out/again.gif", resume=True)
    assert names(here / "out") == ["again.gif", "film.gif"]


def test_the_command_makes_a_film(here, tiny_features, capsys):
    words = tiny.options(tiny_features, size=34, frame_iterations=3, flow="flow", devices=1)
    assert main(["stylize", "film.gif", "painting.png", "-o", "out", *words]) == 0
    assert capsys.readouterr().out == "out/film.gif\n"
    made = open_film(here / "out" / "film.gif")
    assert (made.count, made.shape, made.fps) == (3, (26, 34), 10)


def test_a_film_into_a_folder_that_is_made(run, here):
    assert [str(path) for path in run("new/", changes={"temporal_weight": 0.0})] == ["new/film.gif"]
    assert names(here / "new") == ["film.gif"] and open_film(here / "new" / "film.gif").count == 3


def test_a_damaged_frame_is_named_and_skipped(run, here, capsys, tiny_features):
    data = (here / "film.gif").read_bytes()
    (here / "film.gif").write_bytes(data[: gif_places(data)[2] + 40])
    with pytest.raises(JaxstyleError, match=r"frame 3 of 'film\.gif'"):
        run("out/%d.png")
    words = ["film.gif", "painting.png", "-o", "out/%d.png", "--bad-frames=skip"]
    words += tiny.options(tiny_features, size=34, frame_iterations=3, temporal_weight=0, devices=1)
    assert main(["stylize", *words, "--flow=flow"]) == 2
    assert "the flow in a folder is of all frames" in capsys.readouterr().err
    assert main(["stylize", *words]) == 0
    assert "frame 3 of 'film.gif'" in capsys.readouterr().err and names(here / "out") == ["0.png", "1.png"]


@needs_opencv
def test_opencv_finds_the_flow(run):
    run("out/%d.png", flow=None, changes={"temporal_weight": 100.0})
    estimated = read_film("out")
    run("out/%d.png", changes={"temporal_weight": 0.0})
    assert flicker(estimated) < 0.5 * flicker(read_film("out"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("film.gif", "painting.png", "-o", "out/a.gif", "--flow=none"), "the folder of flow 'none' does not exist"),
        (("film.gif", "painting.png", "-o", "out/a.gif", "--flow=out"), "has no backward_2_1; it must hold"),
        (("film.gif", "painting.png", "-o", "no/a.gif", "--flow=flow"), "output folder 'no' does not exist"),
        (("film.gif", "painting.png", "-o", "film.gif", "--flow=flow"), "would overwrite 'film.gif'"),
        (("film.gif", "film.gif", "painting.png", "-o", "film.gif", "--flow=flow"), "would overwrite 'film.gif'"),
        (("flow", "film.gif", "-o", "film.gif"), "make no film"),
        (("film.gif", "none.png", "-o", "out/a.gif", "--flow=flow"), "'none.png' does not exist"),
        (("film.gif", "painting.png", "-o", "out/a.gif", "--fps=-1"), "--fps is -1; it must be above 0"),
        (("film.gif", "painting.png", "-o", "out/a.gif", "--bad-frames=go"), "--bad-frames 'go' is unknown"),
        (("film.gif", "painting.png", "-o", "out/a.gif", "--temporal-weight=-1"), "--temporal-weight is -1"),
        (("film.gif", "painting.png", "-o", "out/a.gif", "--sweep=tv_weight=1,2"), "a film is made alone"),
        (("painting.png", "painting.png", "-o", "out/a.png", "--flow=flow"), "--flow is for films, and 'painting.png'"),
        (("painting.png", "painting.png", "-o", "out", "--frame-iterations=3"), "--frame-iterations is for films"),
    ],
)
def test_bad_input_is_one_sentence(here, tiny_features, capsys, monkeypatch, words, message):
    monkeypatch.setattr(execution, "optimize", lambda *_, **__: pytest.fail("a step was about to be taken"))
    before = sorted(here.rglob("*"))
    assert main(["stylize", *words, f"--features={tiny_features}"]) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1 and message in told.err and told.out == ""
    assert sorted(here.rglob("*")) == before


def test_masks_must_fit_the_film(run, here):
    write_picture("mask.png", np.ones((8, 9, 3)))
    with pytest.raises(JaxstyleError, match="content mask 1 is 9×8 px and the content picture is 34×26"):
        run("out/a.gif", masks=["mask.png"])
