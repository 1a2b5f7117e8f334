"""Dreams from files to files: traces, metadata, resuming, films, folders; and from noise."""

import contextlib
import json
import shutil

import numpy as np
import pytest
import tiny
from PIL import Image

import jaxstyle
from jaxstyle import DreamConfig, JaxstyleError
from jaxstyle.jobs import execution
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.registry import JOBS
from jaxstyle.jobs.runner import run_job
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.media.image_resizing import resize
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels.dream import zoomed

SMALL = {"size": 32, "octaves": 2, "iterations": 2, "layers": ("relu1_1",), "jitter": 4, "gradient_octaves": 0}


@pytest.fixture
def run(pictures, tiny_features, tmp_path):
    """Dreams on `photo.png`, other pictures or a folder into `tmp_path`; gives the path, or those of several."""

    def dream(output="out.png", contents=("photo",), changes=None, **files):
        config = DreamConfig(**{**SMALL, "features": str(tiny_features), **(changes or {})})
        paths = [name if name.endswith("/") else str(pictures / f"{name}.png") for name in contents]
        made = run_job(JOBS["dream"], Files({"contents": paths}, f"{tmp_path}/{output}", **files), config)
        return made[0] if len(made) == 1 else made

    return dream


def stopping_after(steps):
    """Replaces `interruptible`: so many questions are answered no."""

    @contextlib.contextmanager
    def interruptible():
        left = iter(range(steps))
        yield lambda: next(left, None) is None

    return interruptible


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_picture_its_trace_and_its_settings(run, tmp_path, pictures, tiny_features):
    made = run(trace=str(tmp_path / "trace.jsonl"), save_every=2)
    rows = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [(row["scale"], row["iteration"]) for row in rows] == [(23, 1), (23, 2), (32, 1), (32, 2)]
    assert all({"l2/relu1_1", "loss", "gradient", "update", "picture"} < set(row) for row in rows)
    assert names(tmp_path) == ["out-0023px-0002.png", "out-0032px-0002.png", "out.png", "trace.jsonl"]
    settings = read_settings(made)
    assert settings["contents"] == ["photo.png"] and settings["features"] == "tiny.safetensors"
    assert settings["layers"] == ["relu1_1"] and "devices" not in settings and "frame" not in settings
    config = DreamConfig(**SMALL, features=str(tiny_features))
    same = jaxstyle.dream(str(pictures / "photo.png"), config=config)
    np.testing.assert_allclose(read_picture(made).rgb, same.picture, atol=1.01 / 255)


def test_a_resumed_dream_is_the_uninterrupted_one_bit_for_bit(run, tmp_path, monkeypatch):
    whole = run().read_bytes()
    for steps in (1, 2, 4):  # the loop asks once a step and once between octaves: within the first, between, within
        with monkeypatch.context() as patched:
            patched.setattr(execution, "interruptible", stopping_after(steps))
            with pytest.raises(execution.Interrupted, match="--resume goes on"):
                run("again.png")
        assert (tmp_path / ".again.png.resume").exists()
        assert run("again.png", resume=True).read_bytes() == whole
    before = (tmp_path / "again.png").stat().st_mtime_ns
    run("again.png", resume=True)
    assert (tmp_path / "again.png").stat().st_mtime_ns == before
    assert names(tmp_path) == ["again.png", "out.png"]


def test_a_film_of_frames_resumed_is_the_same_film(run, tmp_path, monkeypatch):
    film = {"frames": 3, "zoom": 1.2, "octaves": 1}
    path = run("film.gif", changes=film)
    with Image.open(path) as picture:
        assert picture.n_frames == 3 and picture.size == (32, 24)
    whole = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(execution, "interruptible", stopping_after(1))  # in the first frame
        with pytest.raises(execution.Interrupted):
            run("again.gif", changes=film)
    assert run("again.gif", changes=film, resume=True).read_bytes() == whole
    made = []
    monkeypatch.setattr(execution, "optimize", lambda *_, **__: made.append(1))
    run("again.gif", changes=film, resume=True)
    assert not made and names(tmp_path) == ["again.gif", "film.gif"]


def test_frames_in_a_folder_grow_out_of_one_another(run, tmp_path):
    changes = {"frames": 2, "zoom": 1.5, "octaves": 1, "learning_rate": 1e-6}
    assert run("frames/", changes=changes) == tmp_path / "frames"
    assert names(tmp_path / "frames") == ["0000.png", "0001.png"]
    first, second = (read_picture(tmp_path / "frames" / f"000{i}.png").rgb for i in range(2))
    np.testing.assert_allclose(second, zoomed(first, 1.5), atol=1.01 / 255)
    assert read_settings(tmp_path / "frames" / "0001.png")["frame"] == 1


def test_zooming_enlarges_the_middle():
    ramp = np.broadcast_to(np.linspace(0, 1, 64)[None, :, None], (48, 64, 3))
    seen = zoomed(ramp, 2.0)
    assert seen.shape == (48, 64, 3)
    np.testing.assert_allclose(np.diff(seen[0, 4:-4, 0]), np.diff(ramp[0, :, 0]).mean() / 2, atol=1e-4)
    np.testing.assert_allclose(seen[:, 31:33].mean(), 0.5, atol=1e-4)
    np.testing.assert_allclose(zoomed(ramp, 1.0), ramp, atol=1e-6)


def test_a_film_has_all_settings(run):
    with Image.open(run("film.gif", changes={"frames": 2, "zoom": 1.2, "octaves": 1, "seed": 3})) as picture:
        about = picture.info["comment"].decode()
    for part in ('"zoom": 1.2', '"seed": 3', '"contents": ["photo.png"]', '"features": "tiny.safetensors"'):
        assert part in about


@pytest.mark.parametrize("length", range(10, 260, 60))
def test_a_film_is_known_again_wherever_its_mark_lies(run, pictures, tmp_path, monkeypatch, length):
    """The comment of a GIF is cut into blocks of 255 bytes, and the mark may not be looked for across a cut."""
    name, film = "x" * length, {"frames": 2, "octaves": 1, "iterations": 1}
    shutil.copy(pictures / "photo.png", tmp_path / f"{name}.png")
    run("film.gif", [str(tmp_path / name)], film)
    monkeypatch.setattr(execution, "optimize", lambda *_, **__: pytest.fail("it was there already"))
    assert run("film.gif", [str(tmp_path / name)], film, resume=True) == tmp_path / "film.gif"


def test_a_folder_of_photos(run, tmp_path):
    (tmp_path / "photos").mkdir()
    for seed, name, height, width in ((5, "b", 48, 64), (6, "a", 48, 40), (7, "c", 48, 64)):
        write_picture(tmp_path / "photos" / f"{name}.png", tiny.picture(seed, height, width))
    made = run("dreams/", [f"{tmp_path / 'photos'}/"], {"octaves": 1})
    assert made == [tmp_path / "dreams" / f"{name}.png" for name in "abc"]
    assert [read_picture(path).rgb.shape for path in made] == [(32, 27, 3), (24, 32, 3), (24, 32, 3)]
    for path in made:
        alone = run("alone.png", [str(tmp_path / "photos" / path.stem)], {"octaves": 1})
        assert alone.read_bytes() == path.read_bytes() and read_settings(path)["contents"] == [path.name]


def test_from_noise_without_a_photo(run, tmp_path):
    made = [run(f"{i}.png", (), {"init": "noise", "seed": i, "octaves": 1}) for i in (0, 1)]
    first, second = (read_picture(path).rgb for path in made)
    assert first.shape == (32, 32, 3) and np.abs(first - second).max() > 0.1


def test_alpha_and_sixteen_bits(pictures, tiny_features, tmp_path):
    alpha = np.linspace(0, 1, 64)[None].repeat(48, 0)
    write_picture(tmp_path / "clear.png", read_picture(pictures / "photo.png").rgb, alpha=alpha)
    config = DreamConfig(**{**SMALL, "octaves": 1, "features": str(tiny_features)})
    files = Files({"contents": [str(tmp_path / "clear.png")]}, str(tmp_path / "out.png"), bits=16)
    (made,) = run_job(JOBS["dream"], files, config)
    found = read_picture(made)
    np.testing.assert_allclose(found.alpha, resize(alpha, 24, 32), atol=2.02 / 255)  # eight bits, twice
    assert made.read_bytes()[24] == 16  # the bit depth in IHDR


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_an_mp4(run):
    assert run("film.mp4", changes={"frames": 2, "octaves": 1}).read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"contents": ()}, "a dream needs one picture, or init noise"),
        ({"contents": ("photo", "other")}, "several pictures go into a folder, and output '.*out.png' is none"),
        ({"contents": ("photo", "other"), "output": "film.gif", "changes": {"frames": 2}}, "a film is made alone"),
        ({"output": "out.xyz"}, "must end in one of .png"),
        ({"output": "no/out.png"}, "does not exist"),
        ({"output": "film.png", "changes": {"frames": 2}}, "a film goes into a folder, a file ending in"),
        ({"output": "no/film.gif", "changes": {"frames": 2}}, "does not exist"),
        ({"changes": {"guide": "nowhere.png"}}, "'nowhere.png' does not exist"),
        ({"changes": {"mask": "nowhere.png"}}, "'nowhere.png' does not exist"),
        ({"trace": "no/trace"}, "cannot write the trace"),
        ({"changes": {"layers": ("relu1_2",), "features": "nowhere.pth"}}, "nowhere.pth"),
    ],
)
def test_what_cannot_be_is_told_before_a_step(run, tmp_path, monkeypatch, words, message):
    monkeypatch.setattr(execution, "optimize", lambda *_, **__: pytest.fail("a step was about to be taken"))
    with pytest.raises(JaxstyleError, match=message):
        run(**words)
    assert not names(tmp_path)


def test_the_second_photo_is_looked_at_before_the_first_is_dreamt_on(run, tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "optimize", lambda *_, **__: pytest.fail("a step was about to be taken"))
    write_picture(tmp_path / "narrow.png", tiny.picture(0, 16, 400))
    with pytest.raises(JaxstyleError, match="a 400×16 picture is 1 px on its shorter side"):
        run("new/", ["photo", str(tmp_path / "narrow")], {"layers": ("relu5_1",)})
    assert names(tmp_path) == ["narrow.png"]


@pytest.mark.parametrize("output", [".", "%d.png", "%04d.png"])
def test_a_film_does_not_overwrite_its_photo(run, pictures, tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    name = "0" if output == "%d.png" else "0000"
    shutil.copy(pictures / "photo.png", tmp_path / f"{name}.png")
    with pytest.raises(JaxstyleError, match=r"the result would overwrite '.*0\.png'"):
        run(output, [str(tmp_path / name)], {"frames": 2, "octaves": 1, "iterations": 1})


def test_a_result_does_not_overwrite_its_photo(pictures, tiny_features):
    photo = str(pictures / "photo.png")
    with pytest.raises(JaxstyleError, match="would overwrite"):
        run_job(JOBS["dream"], Files({"contents": [photo]}, photo), DreamConfig(**SMALL, features=str(tiny_features)))
