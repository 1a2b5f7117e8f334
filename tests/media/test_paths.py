"""Which files of a folder are pictures: by suffix, at any depth, and never by a hidden name."""

import os
import pathlib

import pytest
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.paths import (
    PICTURE_SUFFIXES,
    frame_path,
    is_film_name,
    is_frame_pattern,
    is_hidden,
    is_picture,
    is_video,
    picture_paths,
)


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def listed(folder, **options):
    return [path.relative_to(folder).as_posix() for path in picture_paths(folder, **options)]


def test_hidden_names_are_never_pictures(tmp_path):
    touch(tmp_path, "b.png", "a.JPG", "._a.jpg", ".c.png", "notes.txt", "d", "deep/.hidden/e.png", "deep/f.tga")
    touch(tmp_path, "__MACOSX/a.jpg", "@eaDir/b.png", ".cache/g.png", "deep/@eaDir/h.png")
    assert listed(tmp_path) == ["a.JPG", "b.png"]
    assert listed(tmp_path, recursive=True) == ["a.JPG", "b.png", "deep/f.tga"]
    assert listed(tmp_path / ".cache") == ["g.png"]  # a hidden folder that is named itself is meant
    assert is_hidden("x/._a.png") and not is_hidden(".cache/a.png")
    assert is_picture("a.AVIF") and not is_picture(".a.png") and not is_picture("a") and is_video("x/.mp4.MOV")


def test_a_folder_with_a_pictures_suffix_is_no_picture(tmp_path):
    touch(tmp_path, "scans.tif/page.tif")
    assert listed(tmp_path) == [] and listed(tmp_path, recursive=True) == ["scans.tif/page.tif"]


def test_links_are_followed_and_loops_end(tmp_path):
    touch(tmp_path, "elsewhere/a.png", "folder/b.png", "folder/inner/c.png")
    os.symlink(tmp_path / "elsewhere", tmp_path / "folder" / "linked")
    os.symlink(tmp_path / "folder", tmp_path / "elsewhere" / "back")
    os.symlink(tmp_path / "gone.png", tmp_path / "folder" / "dangling.png")
    wanted = ["b.png", "dangling.png", "inner/c.png", "linked/a.png"]  # what dangles is named when it is read
    assert listed(tmp_path / "folder", recursive=True) == wanted


def test_what_cannot_be_listed_is_told(tmp_path):
    touch(tmp_path, "a.png")
    for name in ("none", "a.png"):
        with pytest.raises(JaxstyleError, match=f"the folder '.*{name}' cannot be listed: "):
            picture_paths(tmp_path / name)


@pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES))
def test_pillow_writes_every_suffix_and_it_is_read_back(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    mode = {".pgm": "L", ".pbm": "1"}.get(suffix, "RGB")
    image = Image.new(mode, (20, 16), 1 if mode == "1" else 255 if mode == "L" else (255, 255, 255))
    Image.init()
    if Image.EXTENSION.get(suffix) not in Image.SAVE:
        pytest.skip(f"this Pillow does not write {suffix}")
    image.save(path)
    assert read_picture(path).rgb.shape == (16, 20, 3) and read_picture(path).rgb.min() > 0.98


@pytest.mark.parametrize(
    ("name", "pattern", "film"),
    [
        *(("a.GIF", False, True), ("50%.mp4", False, True), ("%d.mp4", False, True), ("fold%04d/a.png", False, False)),
        *(("x/%04d.png", True, True), ("100%_%d.tif", True, True), ("%s.png", False, False), ("%.png", False, False)),
    ],
)
def test_only_a_number_makes_numbered_frames(name, pattern, film):
    assert (is_frame_pattern(name), is_film_name(name)) == (pattern, film)


def test_names_of_numbered_frames():
    assert frame_path(pathlib.Path("50%d/100%_%04d.png"), 7) == pathlib.Path("50%d/100%_0007.png")
    for name in ("%d-%d.png", "%4d.png", "a.png"):
        with pytest.raises(JaxstyleError, match="is no name of numbered frames; write one such as"):
            frame_path(pathlib.Path(name), 7)
