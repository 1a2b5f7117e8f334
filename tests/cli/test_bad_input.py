"""Everything a user can get wrong: one sentence that names it, exit code 2, nothing written and no step taken."""

import contextlib
import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
import tiny
from PIL import Image

from jaxstyle.cli import main
from jaxstyle.features import save_weights
from jaxstyle.jobs import execution
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.media.image_writing import write_picture
from jaxstyle.pixels import loop


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray((tiny.picture(4, 48, 64) * 255).astype(np.uint8)).save(buffer, format=kind)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG whose header claims 50000×50000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">2I5B", 50_000, 50_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def here(tmp_path_factory, tiny_features):
    """A folder with good and bad files; the commands run in it."""
    folder = tmp_path_factory.mktemp("input")
    for name in ("empty", "photos", "out", "taken/photo.png"):
        (folder / name).mkdir(parents=True)
    for name, seed, height, width in (
        ("photo.png", 0, 48, 64),
        ("photos/a.png", 1, 48, 64),
        ("photos/b.png", 2, 40, 40),
        ("style.png", 3, 40, 56),
        ("mask.png", 4, 48, 64),
        ("dot.png", 5, 1, 1),
        ("small.png", 6, 15, 15),
        ("band.png", 7, 10, 20_000),
        ("narrow.png", 8, 16, 500),
    ):
        write_picture(folder / name, tiny.picture(seed, height, width))
    write_picture(folder / "black.png", np.zeros((48, 64, 3)))
    files = {"zero.png": b"", "text.png": b"hello\n" * 99, "bomb.png": bomb(), "page.pth": b"<!DOCTYPE html><html>"}
    for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        for share in (0.1, 0.5, 0.9):
            data = encoded(kind)
            files[f"cut{int(share * 100)}.{kind.lower()}"] = data[: int(share * len(data))]
    weights = tiny_features.read_bytes()
    files |= {"net.safetensors": weights, "cut.safetensors": weights[: len(weights) // 2]}
    files |= {"zero.safetensors": b"", ".torn.png.resume": b"torn"}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    broken = tiny.weights()
    broken.tensors["conv2_1/kernel"][0, 0, 0, 0] = np.nan
    np.savez(folder / "nan.npz", **broken.tensors)
    return folder


@pytest.fixture
def attempt(here, capsys, monkeypatch):
    """Runs `jaxstyle stylize` there; gives the one line it complained with."""

    def never(*_, **__):
        raise AssertionError("a step was about to be taken")

    monkeypatch.chdir(here)
    monkeypatch.setenv("JAXSTYLE_CACHE", str(here / "cache"))
    monkeypatch.setattr(loop, "advance", never)

    def run(*words):
        before = listing(here)
        try:
            status = main(["stylize", *words])
        except SystemExit as left:
            status = left.code
        captured = capsys.readouterr()
        assert status == 2 and captured.out == ""
        assert captured.err.startswith("jaxstyle: ") and captured.err.count("\n") == 1, captured.err
        assert not re.search(r"Traceback|Error:|Exception", captured.err)
        assert listing(here) == before
        return captured.err

    return run


def listing(folder):
    """Every file below a folder, with its size."""
    return {path: path.stat().st_size for path in sorted(folder.rglob("*"))}


# What a command needs beside what is wrong with it.
FEATURES = ("--features=net.safetensors",)
SMALL = tuple(tiny.options("net.safetensors"))
OUT = ("-o", "out/new.png")

PICTURES = {
    "missing": ("nowhere.png", r"'nowhere\.png' does not exist"),
    "zero bytes": ("zero.png", r"'zero\.png' is an empty file"),
    "text": ("text.png", r"'text\.png' is not a picture"),
    "one pixel": ("dot.png", r"'dot\.png' has 1x1 pixels, too few"),
    "15 px": ("small.png", r"'small\.png' has 15x15 pixels, too few: each side needs at least 16"),
    "20000×10": ("band.png", r"'band\.png' has 20000x10 pixels"),
    "bomb": ("bomb.png", r"'bomb\.png' is too large to decode"),
    **{
        f"{name} cut to {share} %": (f"cut{share}.{name}", rf"'cut{share}\.{name}' (cannot be read|is not a picture)")
        for name in ("png", "jpeg", "webp", "tiff")
        for share in (10, 50, 90)
    },
    "unknown example": ("example:landscap", "no example picture 'landscap': did you mean 'landscape'"),
}


@pytest.mark.parametrize("case", PICTURES)
@pytest.mark.parametrize("role", ["content", "style"])
def test_bad_pictures(attempt, case, role):
    path, message = PICTURES[case]
    pair = (path, "style.png") if role == "content" else ("photo.png", path)
    assert re.search(message, attempt(*pair, *OUT, *SMALL))


@pytest.mark.parametrize(
    ("case", "words", "message"),
    [
        ("a folder as style", ("photo.png", "photos"), "the style 'photos' is a folder; name a picture"),
        ("an empty folder as content", ("empty", "style.png"), "the folder 'empty' holds no pictures"),
        ("a folder into a file", ("photos", "style.png"), "several pictures go into a folder, and output 'out"),
        ("several into a file", ("style.png", "--content", "photo.png", "mask.png"), "several pictures go into"),
        (
            "a mask that fits the first of two",
            ("style.png", "--content", "photo.png", "photos/b.png", "--content-mask=mask.png", "--output=out"),
            "content mask 1 is 64×48 px and the content picture is 40×40",
        ),
        ("no style", ("photo.png",), "no style: name a painting after the photo"),
        ("a start that is missing", ("photo.png", "style.png", "--init=noisy"), "picture 'noisy' does not exist"),
        ("a folder to start from", ("photo.png", "style.png", "--init=photos"), "the init 'photos' is a folder"),
        ("a trace nowhere", ("photo.png", "style.png", "--trace=no/t"), "cannot write the trace 'no/t': No such"),
        ("a trace that is a folder", ("photo.png", "style.png", "--trace=out"), "cannot write the trace 'out': Is"),
        ("a mask that is missing", ("photo.png", "style.png", "--content-mask=m.png"), "'m.png' does not exist"),
        (
            "a mask of another size",
            ("photo.png", "style.png", "--content-mask=style.png"),
            "content mask 1 is 56×40 px and the content picture is 64×48",
        ),
        ("a style's mask", ("photo.png", "style.png", "--style-mask=mask.png"), "style mask 1 is 64×48 px and style 1"),
        ("a black mask", ("photo.png", "style.png", "--content-mask=black.png"), "content mask 1 is black all over"),
        (
            "too few masks",
            ("photo.png", "style.png", "mask.png", "--content-mask=mask.png"),
            "there are 1 content masks for 2 styles",
        ),
        (
            "too many masks",
            ("photo.png", "style.png", "--style-mask=style.png", "--style-mask=style.png"),
            "there are 2 style masks for 1 styles",
        ),
    ],
)  # fmt: skip
def test_bad_files(attempt, case, words, message):
    assert message in attempt(*OUT, *words, *SMALL)


@pytest.mark.parametrize(
    ("output", "more", "message"),
    [
        ("no/out.png", (), "output folder 'no' does not exist"),
        ("photo.png/out.png", (), "output folder 'photo.png' is a file"),
        ("out/new.gif", (), "output 'out/new.gif' must end in one of .png, .jpg"),
        ("out/new", (), "output 'out/new' must end in one of"),
        ("out/new.jpg", ("--bits=16",), "JPEG cannot hold 16 bits"),
        ("out/new.webp", ("--bits=16",), "WEBP cannot hold 16 bits"),
        ("taken", (), "'taken/photo.png' is a folder"),
        ("photo.png", (), "the result would overwrite 'photo.png', which it is made from"),
        (".", (), "the result would overwrite 'photo.png'"),
        ("out/" + "x" * 300 + ".png", (), "cannot be written: File name too long"),
    ],
)
def test_bad_outputs(attempt, output, more, message):
    assert message in attempt("photo.png", "style.png", "-o", output, *SMALL, *more)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read and write everything")
def test_without_permission(attempt, here):
    for name, words in (("photo.png", OUT), ("out", OUT)):
        mode = (here / name).stat().st_mode
        (here / name).chmod(0o100)
        try:
            assert name in attempt("photo.png", "style.png", *words, *SMALL)
        finally:
            (here / name).chmod(mode)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        *(
            (f"--{name}={value}", f"--{name} {says}")
            for name in ("content-weight", "tv-weight", "style-scale", "learning-rate", "avg-decay", "style-weights")
            for value, says in (("-1", "is -1; it must be at least 0"), ("nan", "is nan; it must be a finite number"))
        ),
        ("--layer-weights=1,-1,1", "--layer-weights is -1; it must be at least 0"),
        ("--layer-weights=1,inf,1", "--layer-weights is inf; it must be a finite number"),
        ("--content-weight=much", "--content-weight 'much' is not a number"),
        ("--layer-weights=1,x,1", "--layer-weights '1,x,1' is not numbers, written a,b,c"),
        ("--layer-weights=1,1", "--layer-weights has 2 numbers for 3 style layers"),
        ("--layer-weights=0,0,0", "--layer-weights are all zero"),
        ("--style-weights=1,2", "--style-weights has 2 numbers for 1 styles"),
        ("--style-weights=0", "--style-weights are all zero"),
        ("--style-layers=", "--style-layers is empty"),
        ("--avg-decay=1", "--avg-decay is 1; it must be below 1"),
        ("--learning-rate=0", "--learning-rate is 0; it must be above 0"),
        ("--style-scale=0", "--style-scale is 0; it must be above 0"),
        ("--size=0", "--size is 0; it must be at least 16"),
        ("--size=-512", "--size is -512; it must be at least 16"),
        ("--size=12.5", "--size '12.5' is not a whole number"),
        ("--size=big", "--size 'big' is not a whole number"),
        ("--min-size=3", "--min-size is 3; it must be at least 16"),
        ("--style-size=8", "--style-size is 8; it must be at least 16"),
        ("--iterations=-1", "--iterations is -1; it must be at least 0"),
        ("--initial-iterations=0", "--initial-iterations is 0; it must be at least 1"),
        ("--seed=-3", "--seed is -3; it must be at least 0"),
        ("--save-every=-1", "--save-every is -1; it must be at least 0"),
        ("--size=200000", r"need some [\d.]+ GiB and [\d.]+ GiB are free: lower --size, or use --dtype bfloat16"),
        ("--size=9999999999999", r"need some [\d.e+]+ GiB and [\d.]+ GiB are free: lower --size"),
        ("--devices=0", "--devices is 0; it must be at least 1"),
        ("--devices=99", "99 devices asked for, and there are 8: choose 1 to 8"),
        ("--devices=all", "--devices 'all' is not a whole number"),
        ("--style-loss=wasserstain", "--style-loss 'wasserstain' is unknown; did you mean 'wasserstein'"),
        ("--optimizer=sgd", "--optimizer 'sgd' is unknown; known: 'adam', 'lbfgs'"),
        ("--pooling=avrage", "--pooling 'avrage' is unknown; did you mean 'average'"),
        ("--padding=zero", "--padding 'zero' is unknown; did you mean 'zeros'"),
        ("--preserve-color=luma", "--preserve-color 'luma' is unknown; did you mean 'luminance'"),
        ("--dtype=float16", "--dtype 'float16' is unknown; did you mean 'bfloat16'"),
        ("--content-layers=relu4_22", "unknown layer 'relu4_22' for features.*did you mean 'relu4_2'"),
        ("--style-layers=relu1_1,relu2_1,rely3_1", "unknown layer 'rely3_1'.*did you mean 'relu3_1'"),
        ("--content-layers=relu5_4", "unknown layer 'relu5_4' for features 'net.safetensors', which end at 'relu5_1'"),
        ("--sweep=content_weight", "--sweep 'content_weight' is not of the form content_weight=1,10,100"),
        ("--sweep=content_weight=a,b", "--sweep 'content_weight=a,b' is not of the form"),
        ("--sweep=content_weight=", "--sweep content_weight has no values"),
        ("--sweep=content_weight=1,1", "--sweep content_weight has a value twice"),
        ("--sweep=contentweight=1", "cannot sweep 'contentweight'; did you mean 'content_weight'"),
        ("--sweep=style_loss=1,2", "cannot sweep 'style_loss'"),
        ("--sweep=size=64,128", "cannot sweep 'size'; known: 'content_weight'"),
        ("--sweep=content_weight=1,-1", "--content-weight is -1; it must be at least 0"),
        ("--sweep=tv_weight=1,nan", "--tv-weight is nan"),
        ("--sweep=tv_weight=1 --sweep=tv_weight=2", "--sweep tv_weight is given twice; write all its values into one"),
        ("--contant-weight=1", "unknown option --contant-weight; did you mean '--content-weight'"),
        ("--blur=1", "unknown option --blur"),
        ("--features=vgg91", "unknown features 'vgg91'; did you mean 'vgg19'"),
        ("--features=nowhere.safetensors", "nowhere.safetensors: no such file"),
        ("--features=out", "out: a folder, not a file of weights"),
        ("--features=page.pth", "page.pth: a web page, not weights"),
        ("--features=photo.png", "photo.png: in no format known here"),
        ("--features=zero.safetensors", "zero.safetensors: an empty file"),
        ("--features=cut.safetensors", "cut.safetensors: damaged or cut short"),
        ("--features=nan.npz", "conv2_1/kernel has NaN or infinite values"),
        ("--min-size=4.5", "--min-size '4.5' is not a whole number"),
    ],
)  # fmt: skip
def test_bad_settings(attempt, words, message):
    assert re.search(message, attempt("photo.png", "style.png", *OUT, *SMALL, *words.split(" ")))


def test_a_picture_too_narrow_for_the_layers(attempt):
    message = attempt("narrow.png", "style.png", *OUT, *SMALL, "--style-layers=relu1_1,relu2_1,relu5_1", "--size=100")
    assert re.search(r"at --size 100 a 500×16 picture is 3 px on its shorter side.*make --size at least 500", message)


def test_a_damaged_snapshot(attempt):
    message = attempt("photo.png", "style.png", "-o", "torn.png", *SMALL, "--resume")
    assert "cannot resume from '.torn.png.resume': it is damaged or no snapshot; delete it" in message


def test_the_snapshot_of_another_run(attempt, here, monkeypatch, capsys):
    words = ["photo.png", "style.png", "-o", "other.png", *SMALL]
    with monkeypatch.context() as patched:
        patched.undo()
        patched.chdir(here)
        patched.setattr(execution, "interruptible", lambda: contextlib.nullcontext(lambda: True))
        assert main(["stylize", *words]) == 130
    assert "--resume goes on" in capsys.readouterr().err
    message = attempt(*words, "--resume", "--content-weight=7", "--seed=3")
    assert "it is of a run with another content_weight, seed; use the same settings" in message
    assert "another contents, pictures" in attempt("mask.png", *words[1:], "--resume")
    for name in ("other.png", ".other.png.resume"):
        (here / name).unlink()


@pytest.mark.parametrize(
    ("case", "more", "message"),
    [
        ("gain", ("--features=loud.safetensors",), r"iteration 1 at 34 px is not finite in .*style/relu3_1"),
        ("rate", ("--learning-rate=1e30",), r"iteration 1 at 34 px is not finite in update"),
    ],
)
def test_a_loss_that_is_not_finite_keeps_the_last_good_picture(here, monkeypatch, capsys, case, more, message):
    """Features of 1e30 have squares beyond float32."""
    monkeypatch.chdir(here)
    loud = tiny.weights()
    loud.tensors["conv3_1/kernel"] *= 1e30
    save_weights("loud.safetensors", loud)
    assert main(["stylize", "photo.png", "style.png", "-o", f"{case}.png", *SMALL, *more]) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(rf"jaxstyle: {message}.*the last good picture is kept\)\n", error), error
    assert read_picture(f"{case}.png").rgb.shape == (26, 34, 3) and read_settings(f"{case}.png")["unfinished"] is True
