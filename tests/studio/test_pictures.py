"""Pictures sent to the studio: limits before decoding, names without folders, and no path of the client's."""

import http.client
import io
import json
import struct
import threading
import zlib

import numpy as np
import pytest
import uvicorn
from PIL import Image
from studio.conftest import TOKEN, sentence

from jaxstyle.studio import app, library
from jaxstyle.studio.server import Server, listening


def png(width=40, height=30):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def header_alone(width, height):
    """A PNG of so many pixels, without them."""
    chunk = b"IHDR" + struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IDAT"


def send(served, data, name="photo.png", **headers):
    return served.ask("POST", "/pictures", data, X_Name=name, **headers)


def files(served):
    return sorted(path for path in served.studio.library.folder.rglob("*") if path.is_file())


def test_an_upload_is_there_to_see(served):
    status, _, body = send(served, png())
    entry = json.loads(body)
    assert status == 201
    assert (entry["name"], entry["size"], entry["example"]) == ("photo.png", [40, 30], False)
    status, headers, view = served.ask("GET", f"/pictures/{entry['id']}")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(view)) as image:
        assert image.size == (40, 30)


@pytest.mark.parametrize(
    "data, words",
    [
        (b"These are words.", "is not a picture"),
        (b"", "is an empty file"),
        (png()[:60], "may be damaged or cut short"),
        (png(8, 8), "too few"),
        (png(1000, 20), "too long and thin"),
    ],
)
def test_what_is_no_picture_is_told_and_leaves_nothing(served, data, words):
    before = files(served)
    answer = send(served, data)
    assert answer[0] == 400
    assert words in sentence(answer)
    assert "photo.png" in sentence(answer)
    assert "/" not in sentence(answer).replace("not a picture in a known format", "")
    assert files(served) == before


def test_too_many_pixels_are_refused_before_they_are_decoded(served):
    answer = send(served, header_alone(10_000, 6_000))
    assert answer[0] == 400
    assert "has 60 megapixels, and the studio takes 50" in sentence(answer)


def test_too_many_bytes_are_refused_unread(served, monkeypatch):
    monkeypatch.setattr(app, "MAX_BYTES", 1000)
    before = files(served)
    told = send(served, b"x" * 1001)
    untold = served.ask("POST", "/pictures", iter([b"x" * 600] * 3), X_Name="a.png")
    assert (told[0], untold[0]) == (413, 413)
    assert "at most" in sentence(told)
    assert files(served) == before


@pytest.mark.parametrize(
    "name, plain",
    [
        ("../../etc/passwd", "passwd.png"),
        ("C:\\pictures\\me.JPG", "me.jpg"),
        ("..", "picture.png"),
        ("", "picture.png"),
        (".hidden", "hidden.png"),
        ("a b;$(c).png", "a_b_c.png"),
        ("Zürich.jpeg", "Zürich.jpeg"),
        ("x" * 300 + ".png", "x" * 60 + ".png"),
        ("a\nb\0.png", "a_b.png"),
    ],
)
def test_names_lose_folders_and_special_characters(name, plain):
    assert library.plain_name(name) == plain


@pytest.mark.parametrize(
    "id", ["../../etc/passwd", "/etc/passwd", "example:landscape", "..%2f..%2fetc%2fpasswd", "none"]
)
def test_paths_are_no_ids(served, id):
    order = json.dumps({"tool": "texture", "pictures": {"styles": [id]}})
    answer = served.ask("POST", "/runs", order)
    assert answer[0] == 400
    assert "no such picture" in sentence(answer)
    assert served.ask("GET", f"/pictures/{id}")[0] in (400, 404)
    assert served.ask("GET", f"/{id}")[0] == 404


def test_a_studio_that_closes_does_not_wait_for_an_example(tmp_path, monkeypatch):
    drawing, never = threading.Event(), threading.Event()
    studio = app.Studio(tmp_path)
    monkeypatch.setattr(studio.library, "keep", lambda *entry: drawing.set() or never.wait())
    config = uvicorn.Config(app.application(studio, TOKEN, "127.0.0.1"), log_level="warning")
    with listening("127.0.0.1", 0) as listener:
        connection = http.client.HTTPConnection(*listener.getsockname())
        server = Server(config, studio, "", browser=False)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        connection.request("GET", f"/{TOKEN}/pictures/landscape")
        assert drawing.wait(60)
        server.should_exit = True
        thread.join(60)
        assert connection.getresponse().status == 503
    connection.close()
    studio.runs.close()
