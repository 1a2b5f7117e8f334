"""Hostile films and optical flow, through the commands that read them."""

import io
import os
import struct

import numpy as np
import pytest
import tiny
from films import needs_ffmpeg, run_ffmpeg
from hostile.archives import npy
from hostile.corpus import PLACES, chunk, cut, encoded, fifo, flipped, patched, png
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs import execution
from jaxstyle.media.film_reading import read_film
from jaxstyle.pixels.loop import Outcome


@pytest.fixture(autouse=True)
def no_steps(monkeypatch):
    """A film that can be read is good; that it can be painted is tested elsewhere."""
    monkeypatch.setattr(execution, "optimize", lambda problem, *_, **__: Outcome(np.asarray(problem.start), None))


def animation(kind, count=3, size=(64, 48), **options):
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8)) for _ in range(count)]
    return encoded(kind, frames[0], save_all=True, append_images=frames[1:], **options)


def animations():
    """Animations that end early, of which bytes are wrong, or that lie."""
    for kind in ("GIF", "PNG", "WEBP", "AVIF"):
        data = animation(kind)
        yield from (
            (f"{kind} {name}", part) for name, part in cut(data, {"8 bytes": 8, "half": 0.5, "nine tenths": 0.9})
        )
        yield from ((f"{kind} with wrong bytes, {seed}", flipped(data, seed)) for seed in range(2))
    gif = animation("GIF")
    yield "GIF on a canvas of 170 megapixels", patched(gif, 6, struct.pack("<HH", 13_000, 13_100))
    yield "GIF on a canvas of 4 gigapixels", patched(gif, 6, b"\xff\xff\xff\xff")
    yield (
        "GIF of frames outside the canvas",
        gif.replace(struct.pack("<4H", 0, 0, 64, 48), struct.pack("<4H", 60000, 60000, 64, 48)),
    )
    yield "GIF of large frames", gif.replace(struct.pack("<4H", 0, 0, 64, 48), struct.pack("<4H", 0, 0, 65535, 65535))
    yield "GIF of endless delays", animation("GIF", duration=655_350)
    yield "GIF of comments", gif[:13] + b"!\xfe" + b"\xff" * 10**6
    yield (
        "APNG that lies about its frames",
        patched(animation("PNG"), animation("PNG").index(b"acTL") + 4, b"\x7f\xff\xff\xff"),
    )
    control = struct.pack(">5I2H2B", 0, 60_000, 60_000, 0, 0, 1, 0, 0, 0)
    more = chunk(b"acTL", struct.pack(">2I", 2, 0)) + chunk(b"fcTL", control)
    yield "APNG of frames of 3.6 gigapixels", png(64, 48, more)
    yield (
        "APNG of delays of 1/0 s",
        png(64, 48, more[:20] + chunk(b"fcTL", struct.pack(">5I2H2B", 0, 64, 48, 0, 0, 1, 0, 0, 0))),
    )


FILES = dict(animations())


@pytest.mark.parametrize("name", FILES)
def test_animations(attempt, here, name):
    (here / "bad.gif").write_bytes(FILES[name])
    attempt(
        "stylize", "bad.gif", "style.png", "-o", "out/new.gif", "--temporal-weight=0", *tiny.options("net.safetensors")
    )


def objects():
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], object))
    return buffer.getvalue()


ARRAYS = {
    "nothing": b"",
    "text": b"hello",
    "half": npy("|u1", (4, 48, 64, 3), 9999),
    "of 2^60 frames": npy("|u1", (2**60, 48, 64, 3), 9999),
    "of a negative size": npy("|u1", (-4, 48, 64, 3), 9999),
    "of 99 axes": npy("|u1", (1,) * 99, 1),
    "of no frames": npy("|u1", (0, 48, 64, 3), 0),
    "of no pixels": npy("|u1", (4, 0, 64, 3), 0),
    "of seven channels": npy("|u1", (1, 4, 4, 7), 112),
    "of whole numbers": npy("<i8", (1, 4, 4), 128),
    "of texts": npy("<U4", (1, 4, 4), 256),
    "of complex numbers": npy("<c8", (1, 4, 4), 128),
    "of pickles": objects(),
    "of one number": npy("<f4", (), 4),
    "of NaN": npy("<f4", (1, 4, 4), 0) + np.full(16, np.nan, "<f4").tobytes(),
    "of code": b"\x93NUMPY\1\0" + struct.pack("<H", 25) + b"open('canary', 'w')     \n",
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(here, name):
    """The commands that read arrays need a trained forecaster; they read through this function."""
    (here / "bad.npy").write_bytes(ARRAYS[name])
    with pytest.raises(JaxstyleError, match=r"^[^\n]*$"):
        read_film(here / "bad.npy")
    assert not (here / "canary").exists()


def fill(folder, **files):
    """A folder of files: bytes, or what makes one."""
    folder.mkdir()
    for number, file in files.items():
        path = folder / f"{number}.png"
        path.write_bytes(file) if isinstance(file, bytes) else file(path)


FRAME = encoded("PNG")
FOLDERS = {
    "of nothing": {},
    "of text": {"a1": b"hello"},
    "of a frame that is cut short": {"a1": FRAME, "a2": FRAME[:3000]},
    "of other sizes": {"a1": FRAME, "a2": encoded("PNG", Image.new("RGB", (40, 48)))},
    "of a pipe": {"a1": FRAME, "a2": fifo},
    "of an endless device": {"a1": FRAME, "a2": lambda path: path.symlink_to("/dev/zero")},
    "of a folder": {"a1": FRAME, "a2": os.mkdir},
    "of a link to itself": {"a1": FRAME, "a2": lambda path: path.symlink_to(path)},
    "of large numbers": {"9" * 200: FRAME, "²": FRAME, "٣": FRAME},
    "of names with line breaks": {"a\n1": FRAME, "\x1b[31m": FRAME[:99]},
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders(attempt, here, name):
    fill(here / "frames", **FOLDERS[name])
    attempt(
        "stylize", "frames", "style.png", "-o", "out/new.gif", "--temporal-weight=0", *tiny.options("net.safetensors")
    )


FLO = struct.pack("<f2i", 202021.25, 64, 48)
FLOWS = {
    "nothing.flo": b"",
    "text.flo": b"hello" * 99,
    "half.flo": FLO + bytes(64 * 48),
    "of another number.flo": b"\0" + FLO[1:] + bytes(64 * 48 * 8),
    "of NaN.flo": FLO + np.full(64 * 48 * 2, np.nan, "<f4").tobytes(),
    "of 10^30.flo": FLO + np.full(64 * 48 * 2, 1e30, "<f4").tobytes(),
    "of 2^62 pixels.flo": struct.pack("<f2i", 202021.25, 2**31 - 1, 2**31 - 1) + bytes(99),
    "of a negative size.flo": struct.pack("<f2i", 202021.25, 64, -1) + bytes(64 * 48 * 8),
    "of no pixels.flo": struct.pack("<f2i", 202021.25, 0, 0),
    "a pipe.flo": fifo,
    "endless.flo": lambda path: path.symlink_to("/dev/zero"),
    "a folder.flo": os.mkdir,
    "of 2^60 rows.npy": npy("<f4", (2**60, 64, 2), 99),
    "of pickles.npy": objects(),
    "of three channels.npy": npy("<f4", (48, 64, 3), 48 * 64 * 12),
    "of texts.npy": npy("<U4", (48, 64, 2), 48 * 64 * 32),
    "of complex numbers.npy": npy("<c8", (48, 64, 2), 48 * 64 * 16),
    "of records.npy": npy([("a", "<f4")], (48, 64, 2), 48 * 64 * 8),
    "an endless array.npy": lambda path: path.symlink_to("/dev/zero"),
    "a pipe.npy": fifo,
}


@pytest.mark.parametrize("name", FLOWS)
def test_flow(attempt, here, name):
    fill(here / "frames", a1=FRAME, a2=FRAME)
    (here / "flow").mkdir()
    path = here / "flow" / f"backward_2_1{os.path.splitext(name)[1]}"
    path.write_bytes(FLOWS[name]) if isinstance(FLOWS[name], bytes) else FLOWS[name](path)
    words = ["frames", "style.png", "-o", "out/new.gif", "--flow=flow", *tiny.options("net.safetensors")]
    assert attempt("stylize", *words)[0] == 2 or "10^30" in name


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A film of ten frames in every container."""
    folder, found = tmp_path_factory.mktemp("videos"), {}
    for suffix, codec in ((".mp4", "libx264"), (".mkv", "libx264"), (".avi", "mjpeg"), (".mov", "png")):
        source = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1")
        run_ffmpeg(*source, "-c:v", codec, "-pix_fmt", "rgb24" if codec == "png" else "yuvj420p", folder / f"a{suffix}")
        found[suffix] = (folder / f"a{suffix}").read_bytes()
    return found


VIDEOS = {
    "mp4, its half": (".mp4", lambda films: films[".mp4"][: len(films[".mp4"]) // 2]),
    "mp4, a tenth": (".mp4", lambda films: films[".mp4"][: len(films[".mp4"]) // 10]),
    "mp4 with wrong bytes": (".mp4", lambda films: flipped(films[".mp4"], 0, 30)),
    "mp4 whose boxes have 2^32 bytes": (
        ".mp4",
        lambda films: films[".mp4"].replace(struct.pack(">I", 0x28), b"\xff" * 4),
    ),
    "mp4 of 65535 columns": (".mp4", lambda films: films[".mp4"].replace(struct.pack(">HH", 64, 48), b"\xff" * 4)),
    "mkv, nine tenths": (".mkv", lambda films: films[".mkv"][: 9 * len(films[".mkv"]) // 10]),
    "mkv with wrong bytes": (".mkv", lambda films: flipped(films[".mkv"], 1, 30)),
    "avi with wrong bytes": (".avi", lambda films: flipped(films[".avi"], 2, 30)),
    "mov with wrong bytes": (".mov", lambda films: flipped(films[".mov"], 3, 30)),
    "nothing": (".mp4", lambda films: b""),
    "text": (".webm", lambda films: b"hello\n" * 99),
    "zeros": (".avi", lambda films: bytes(10_000)),
    "a picture": (".mp4", lambda films: FRAME),
    "a playlist of a file elsewhere": (
        ".mp4",
        lambda films: b"#EXTM3U\n#EXTINF:1,\nfile:///elsewhere/a.mp4\n#EXT-X-ENDLIST\n",
    ),
    "a playlist of an address": (
        ".mp4",
        lambda films: b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.mp4\n#EXT-X-ENDLIST\n",
    ),
    "a list of files": (".mkv", lambda films: b"ffconcat version 1.0\nfile photo.png\n"),
    "a script of effects": (".mp4", lambda films: b"# AviSynth\nVersion()\n"),
    "a description of a session": (
        ".mp4",
        lambda films: b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    ),
}


@needs_ffmpeg
@pytest.mark.parametrize("name", VIDEOS)
def test_videos(attempt, here, videos, name):
    suffix, make = VIDEOS[name]
    (here / f"bad{suffix}").write_bytes(make(videos))
    attempt(
        "stylize",
        f"bad{suffix}",
        "style.png",
        "-o",
        "out/new.gif",
        "--temporal-weight=0",
        *tiny.options("net.safetensors"),
    )


@needs_ffmpeg
@pytest.mark.parametrize("place", PLACES)
def test_places_of_videos(attempt, here, place):
    PLACES[place](here / "bad.mp4")
    assert attempt("stylize", "bad.mp4", "style.png", "-o", "out/new.gif", *tiny.options("net.safetensors"))[0] == 2


@needs_ffmpeg
@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {}\n"]
)
def test_lists_lead_nowhere(attempt, here, videos, text):
    (here / "secret.mp4").write_bytes(videos[".mp4"])
    (here / "bad.mp4").write_text(text.format(here / "secret.mp4"))
    words = ["bad.mp4", "style.png", "-o", "out/new.gif", "--temporal-weight=0", *tiny.options("net.safetensors")]
    assert attempt("stylize", *words)[0] == 2
