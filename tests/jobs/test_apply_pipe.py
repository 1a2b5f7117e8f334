"""`jaxstyle apply -`: a film through a pipe comes out frame by frame, and what cannot be is told."""

import io
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import tiny
from tiny_models import known_model

from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.apply import StyleOptions, Stylizer
from jaxstyle.inference.style_model import save_model
from jaxstyle.jobs.apply_pipe import apply_pipe
from jaxstyle.jobs.files import Files
from jaxstyle.media.film_reading import read_film
from jaxstyle.media.pipes import open_stream, y4m_writer

FRAMES = [tiny.picture(seed, 24, 32) for seed in range(3)]


def stylizer():
    return Stylizer(known_model(), StyleOptions("red", devices=1))


def film():
    file = io.BytesIO()
    add = y4m_writer(file, (24, 32), Fraction(12))
    for frame in FRAMES:
        add(frame)
    return io.BytesIO(file.getvalue())


def files(output):
    return Files({"contents": ["-"], "styles": [], "masks": []}, output)


def test_each_frame_is_stylised_by_itself():
    sink = io.BytesIO()
    assert list(apply_pipe(stylizer(), files("-"), None, None, {}, film(), sink, progress=False)) == []
    made = open_stream(io.BytesIO(sink.getvalue()))
    assert made.shape == (24, 32) and made.fps == 12
    for one, frame in zip(made.frames, open_stream(film()).frames, strict=True):
        np.testing.assert_allclose(one, stylizer()([frame])[0], atol=0.015)


def test_a_file_takes_it_too(tmp_path):
    target = tmp_path / "film.gif"
    assert list(apply_pipe(stylizer(), files(str(target)), 24, 5.0, {}, film(), progress=False)) == [target]
    assert read_film(target).shape == (3, 18, 24, 3)


def test_it_ends_quietly_where_nobody_reads_any_more():
    class Closed(io.BytesIO):
        def write(self, data):
            raise BrokenPipeError

    assert list(apply_pipe(stylizer(), files("-"), None, None, {}, film(), Closed(), progress=False)) == []


@pytest.mark.slow
def test_the_command_writes_nothing_but_the_film(tmp_path):
    save_model(tmp_path / "model", known_model(), np.zeros((8, 8, 3)))
    words = ["apply", "-", "--model", str(tmp_path / "model"), "--style=red", "-o", "-", "--devices=1"]
    done = subprocess.run(
        [sys.executable, "-m", "jaxstyle.cli", *words], input=film().read(), capture_output=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert len(list(open_stream(io.BytesIO(done.stdout)).frames)) == 3


def test_what_cannot_be_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_model("model", known_model(), np.zeros((8, 8, 3)))
    for words, message in (
        (("-", "a.png", "-o", "-"), "'-' is a film that comes through a pipe: name no other picture beside it"),
        (("a.png", "-o", "-"), "-o - is for a film that comes through a pipe"),
        (("-", "-o", "a.png"), "a film goes into a folder, a file ending in .gif"),
        (("model", "-o", "a.png"), "'model' is a model: name it by --model"),
    ):
        assert main(["apply", *words, "--model=model", "--style=red"]) == 2
        captured = capsys.readouterr()
        assert message in captured.err and captured.err.count("\n") == 1 and captured.out == ""
    with pytest.raises(JaxstyleError, match="neither y4m nor Motion JPEG"):
        list(apply_pipe(stylizer(), files("-"), None, None, {}, io.BytesIO(b"abc"), io.BytesIO()))
