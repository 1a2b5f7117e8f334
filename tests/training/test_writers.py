"""Numbers and pictures on disk."""

import json
import struct
from unittest import mock

import numpy as np
from etils import epath
from tensorboardX.proto import event_pb2

from jaxstyle.media.film_reading import read_film
from jaxstyle.media.image_reading import read_picture
from jaxstyle.training.writers import Writers, grid, read_metrics


def test_rows_of_a_killed_run_are_dropped_when_it_goes_on(tmp_path):
    workdir = epath.Path(tmp_path)
    rows = [{"step": step, "kind": "train", "loss": float(step)} for step in (1, 2, 3)]
    (workdir / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 4, "ki')
    writers = Writers(workdir, step=2, steps=10, progress="off")
    writers.scalars(3, "train", {"loss": np.float32("nan"), "parts": np.array([1.0, 2.0])})
    writers.close()
    assert read_metrics(workdir) == [*rows[:2], {"step": 3, "kind": "train", "loss": None, "parts": [1.0, 2.0]}]


class Bucket(type(epath.Path("/"))):
    """A place whose objects are written whole, whatever they are opened for."""

    def __str__(self):
        return "gs://" + super().__str__()

    def open(self, mode="r", **more):
        return super().open(mode.replace("a", "w"), **more)


def test_in_a_bucket_every_row_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxstyle.training.writers.EventFile", mock.Mock())  # it would look for a real one
    writers = Writers(Bucket(tmp_path), step=0, steps=10, progress="off")
    for step in (1, 2, 3):
        writers.scalars(step, "train", {"loss": 0.5})
    writers.close()
    assert [row["step"] for row in read_metrics(epath.Path(tmp_path))] == [1, 2, 3]


def events(folder):
    """TensorBoard's events of all files in a folder: each is framed by its length and checksums (TFRecord)."""
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            yield event_pb2.Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]


def test_numbers_and_pictures_for_tensorboard(tmp_path):
    writers = Writers(epath.Path(tmp_path), 4, 10, "off")
    writers.scalars(5, "train", {"loss": 0.5, "lost": np.nan})
    writers.pictures(6, {"samples": np.zeros((1, 4, 4, 3), np.float32)})
    writers.close()
    _, start, number, picture = events(tmp_path / "tensorboard")
    assert (start.step, start.session_log.status) == (5, event_pb2.SessionLog.START)
    assert (number.step, [(one.tag, one.simple_value) for one in number.summary.value]) == (5, [("train/loss", 0.5)])
    (value,) = picture.summary.value
    assert (picture.step, value.tag, value.image.height) == (6, "samples", 8)


def test_pictures_are_written_as_a_grid(tmp_path):
    writers = Writers(epath.Path(tmp_path), 0, 1, "off")
    writers.pictures(7, {"samples": np.zeros((3, 4, 5, 1), np.float32)})
    writers.close()
    assert read_picture(str(tmp_path / "pictures" / "samples-0000007.png")).rgb.shape == (14, 16, 3)


def test_grid_puts_pictures_row_by_row():
    sheet = grid(np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1) / 4, gap=1)
    np.testing.assert_array_equal(sheet[1::2, 1::2, 0], [[0, 0.25], [0.5, 0.75]])
    assert np.all(sheet[::2] == 1)


def test_films_are_written_as_grids_that_move(tmp_path):
    writers = Writers(epath.Path(tmp_path), 0, 1, "off")
    writers.films(7, {"clips": np.linspace(0, 1, 3, dtype=np.float32)[None, :, None, None, None].repeat(3, 0)})
    writers.close()
    film = read_film(tmp_path / "films" / "clips-0000007.gif")
    assert film.shape == (3, 8, 8, 3)  # two by two pictures of one pixel, two of white between them
    np.testing.assert_allclose(film[:, 2, 2, 0], [0, 0.5, 1], atol=0.03)
