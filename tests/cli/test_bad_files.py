"""Files that a user can get wrong: one sentence that names the file, exit code 2, nothing written, no step taken."""

import contextlib
import os
import re

import pytest
import tiny

from jaxstyle.cli import main
from jaxstyle.jobs import execution

SMALL = tuple(tiny.options("net.safetensors"))  # what a command needs beside what is wrong with it
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
