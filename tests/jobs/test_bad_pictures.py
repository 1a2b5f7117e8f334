"""Pictures that cannot be read: all named before work starts, or left out on request."""

import pytest
import tiny

from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs.bad_pictures import readable
from jaxstyle.media.image_writing import write_picture


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "c.png"):
        write_picture(name, tiny.picture(0, 16, 16))
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:100])
    (tmp_path / "d.png").write_bytes(b"")
    return ["a.png", "b.png", "c.png", "d.png"]


def test_all_of_them_are_named(folder):
    with pytest.raises(JaxstyleError) as error:
        readable(folder)
    told = str(error.value)
    assert told.startswith("2 of the 4 pictures cannot be read: ") and "b.png" in told and "d.png" in told
    assert "--bad-pictures skip" in told and "a.png" not in told


def test_those_that_can_be_read_are_left(folder, capsys):
    assert list(readable(folder, "skip")) == ["a.png", "c.png"]
    assert capsys.readouterr().err.count("; skipped\n") == 2


def test_what_is_seen_is_kept_and_nothing_else(folder):
    assert readable(["a.png"], read=str.upper) == {"a.png": "A.PNG"}
    assert readable(["a.png"]) == {"a.png": None}


def test_none_is_left(folder):
    with pytest.raises(JaxstyleError, match="none of the 2 pictures can be read"):
        readable(["b.png", "d.png"], "skip")
    with pytest.raises(JaxstyleError, match=r"^picture 'b\.png' (?!.*--bad)"):
        readable(["b.png"])


def test_many_are_counted(folder, monkeypatch):
    monkeypatch.setattr("jaxstyle.data.bad_pictures.TOLD", 1)
    with pytest.raises(JaxstyleError, match="and 1 more; --bad-pictures"):
        readable(folder)


def test_an_unknown_choice(folder):
    with pytest.raises(JaxstyleError, match="--bad-pictures 'skpi' is unknown; did you mean 'skip'"):
        readable(folder, "skpi")
