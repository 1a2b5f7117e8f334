"""Films frame by frame: what is looked through, in which order, and frames that are damaged."""

import numpy as np
import pytest
from films import damaged, noise
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.film_reading import check_bad_frames, is_film, open_film, read_film
from jaxstyle.media.film_writing import write_frames
from jaxstyle.media.paths import frame_paths


@pytest.mark.parametrize(
    ("kind", "good", "sentence"),
    [("code", [0, 1, 3, 4], "frame 3 of .* cannot be read"), ("cut", [0, 1, 2], "frame 4 of .* and what follows")],
)
def test_a_damaged_frame_is_named_and_the_others_are_read(tmp_path, kind, good, sentence):
    path = tmp_path / "film.gif"
    write_frames(path, noise(), fps=10)
    whole = read_film(path)
    path.write_bytes(damaged(path.read_bytes(), kind))
    film = open_film(path)
    assert (film.count, film.shape, film.fps) == (len(good), (16, 24), 10)
    np.testing.assert_array_equal(np.stack(list(film.frames())), whole[good])
    film.check("skip")
    assert is_film(path)
    with pytest.raises(JaxstyleError, match=f"{sentence}.*; --bad-frames skip goes on without"):
        film.check("stop")
    with pytest.raises(JaxstyleError, match=sentence):
        read_film(path)


def test_a_folder_is_in_the_order_of_its_numbers(tmp_path):
    for number in (2, 10, 1):
        Image.new("RGB", (20, 16), (number, 0, 0)).save(tmp_path / f"frame{number}.png")
    (tmp_path / ".hidden.png").write_text("no picture")
    (tmp_path / "notes.txt").write_text("no picture")
    assert [path.name for path in frame_paths(tmp_path)] == ["frame1.png", "frame2.png", "frame10.png"]
    film = open_film(tmp_path)
    assert (film.count, film.shape, film.fps, film.bad) == (3, (16, 20), None, ())
    np.testing.assert_allclose([frame[0, 0, 0] * 255 for frame in film.frames()], [1, 2, 10], atol=1e-4)
    (tmp_path / "frame2.png").write_text("no picture")
    film = open_film(tmp_path)
    assert film.count == len(list(film.frames())) == 2 and "frame2.png" in film.bad[0]


def test_what_is_a_film(tmp_path):
    write_frames(tmp_path / "moving.gif", noise(2), fps=8)
    write_frames(tmp_path / "still.gif", noise(1), fps=8)
    first, second = (Image.fromarray(np.uint8(255 * frame)) for frame in noise(2))
    first.save(tmp_path / "moving.png", save_all=True, append_images=[second], duration=40)
    first.save(tmp_path / "still.png")
    (tmp_path / "text.gif").write_text("hello")
    found = [path.name for path in sorted(tmp_path.iterdir()) if is_film(path)]
    assert found == ["moving.gif", "moving.png"] and is_film(tmp_path / "a.MP4")
    apng = open_film(tmp_path / "moving.png")
    assert (apng.count, apng.fps) == (2, 25)
    np.testing.assert_allclose(np.stack(list(apng.frames())), noise(2), atol=1 / 255)


def test_the_choice_is_told():
    with pytest.raises(JaxstyleError, match="--bad-frames 'skp' is unknown; did you mean 'skip'"):
        check_bad_frames("skp")
