"""Videos by ffmpeg: every frame once, at its time, of its shape, in its colours."""

import os
import re
import struct
from fractions import Fraction

import numpy as np
import pytest
from films import make_movie, needs_ffmpeg, run_ffmpeg, stand_in

from jaxstyle.errors import JaxstyleError
from jaxstyle.media import ffmpeg, video_reading
from jaxstyle.media.film_reading import open_film, read_film


@needs_ffmpeg
def test_a_movie_keeps_its_rate_and_tells_of_its_sound(tmp_path):
    make_movie(tmp_path / "a.mp4", "-c:a", "aac", sound=True)
    film = open_film(tmp_path / "a.mp4")
    assert (film.count, film.shape, film.fps, film.bad) == (30, (48, 64), Fraction(30000, 1001), ())
    assert film.sound == "aac" and len(list(film.frames())) == 30


@needs_ffmpeg
def test_a_movie_turned_by_its_player_is_upright(tmp_path):
    make_movie(tmp_path / "a.mp4")
    run_ffmpeg("-i", tmp_path / "a.mp4", "-c", "copy", "-metadata:s:v:0", "rotate=90", tmp_path / "b.mp4")
    film = open_film(tmp_path / "b.mp4")
    shapes = {frame.shape[:2] for frame in film.frames()}
    assert shapes == {film.shape}


@needs_ffmpeg
def test_damaged_frames_of_a_movie_are_named_by_their_time(tmp_path):
    path = tmp_path / "a.mp4"
    make_movie(path, "-x264-params", "keyint=30:bframes=0")
    data = bytearray(path.read_bytes())
    start = data.find(b"mdat") + 4
    size = struct.unpack(">I", data[start - 8 : start - 4])[0] - 8
    middle = start + 2 * size // 3
    data[middle : middle + 100] = bytes([255] * 100)  # several frames, and where they end
    path.write_bytes(data)
    film = open_film(path)
    assert 1 <= len(film.bad) <= 10 and film.count == 30 - len(film.bad)
    for problem in film.bad:
        time = float(re.fullmatch(r"the frame (.*) seconds into '.*a.mp4' is damaged", problem)[1])
        assert 0.2 < time < 0.95
    assert len(list(film.frames())) == film.count
    assert sum(film.durations) == pytest.approx(1.001, abs=1e-4)  # where one is bad, the one before lasts


def test_damaged_frames_without_times_are_counted(tmp_path):
    """As AVI has them."""
    packets = [{"pts_time": "N/A"}, {"pts_time": "0.1"}, {"pts_time": "N/A"}]
    assert video_reading.bad_frames(tmp_path / "a.avi", packets, [0.1, 0.2, 0.3]) == ()
    assert video_reading.bad_frames(tmp_path / "a.avi", packets, [0.2])[0].startswith("the frame 0.100 seconds into '")
    told = video_reading.bad_frames(tmp_path / "a.avi", packets, [0.1])
    assert len(told) == 1 and re.fullmatch(r"2 of the 3 frames of '.*a\.avi' are damaged", told[0])


@needs_ffmpeg
def test_reading_may_stop_before_the_end(tmp_path):
    make_movie(tmp_path / "a.mp4")
    frames = open_film(tmp_path / "a.mp4").frames()
    next(frames)
    frames.close()  # ends ffmpeg; a process or pipe left would be a warning, which is an error here


def test_a_decoder_that_dies_is_told(tmp_path, monkeypatch):
    stand_in(tmp_path / "ffmpeg", "head -c 24 /dev/zero; echo out of memory >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    frames = video_reading.decode(tmp_path / "a.mp4", (2, 2))
    assert len([next(frames), next(frames)]) == 2
    with pytest.raises(JaxstyleError, match="ffmpeg failed after 2 frames: out of memory"):
        next(frames)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.mp4", "bframes.avi", "rounded.mkv"])
def test_the_count_is_that_of_the_frames(tmp_path, name):
    """AVI keeps no times of presentation, and Matroska rounds to thousandths of a second."""
    make_movie(tmp_path / name, "-c:v", "mpeg4" if name.endswith("avi") else "libx264", "-bf", "2")
    film = open_film(tmp_path / name)
    assert film.count == len(list(film.pictures())) == 30
    assert (film.fps, film.durations) == (Fraction(30000, 1001), None)


@needs_ffmpeg
def test_sound_before_the_first_frame_is_no_frame(tmp_path):
    make_movie(tmp_path / "a.mp4")
    sound = ("-f", "lavfi", "-i", "sine=440:duration=3", "-map", "0:v", "-map", "1:a", "-c:v", "copy")
    run_ffmpeg("-itsoffset", "1", "-i", tmp_path / "a.mp4", *sound, tmp_path / "late.mp4")
    film = open_film(tmp_path / "late.mp4")
    assert film.count == len(list(film.pictures())) == 30
    assert (film.timing, film.start) == (Fraction(30000, 1001), pytest.approx(1, abs=0.001))


@needs_ffmpeg
def test_a_film_of_no_even_rate_keeps_its_times(tmp_path):
    source, chosen = "testsrc=size=64x48:rate=30:duration=1", "select='not(mod(n,3))+gt(n,15)'"
    run_ffmpeg("-f", "lavfi", "-i", source, "-vf", chosen, "-vsync", "vfr", tmp_path / "a.mp4")
    film = open_film(tmp_path / "a.mp4")
    assert film.count == len(list(film.pictures())) == 20 == len(film.durations) and film.timing == film.durations
    tenths = 5 * [1 / 10] + 15 * [1 / 30]
    np.testing.assert_allclose([float(lasts) for lasts in film.durations], tenths, atol=1e-5)


@needs_ffmpeg
@pytest.mark.parametrize("turned", [False, True])
def test_pixels_that_are_not_square(tmp_path, turned):
    make_movie(tmp_path / "a.mp4", "-vf", "setsar=64/45", size="96x64")
    if turned:
        run_ffmpeg("-i", tmp_path / "a.mp4", "-c", "copy", "-metadata:s:v:0", "rotate=90", tmp_path / "b.mp4")
    path = tmp_path / ("b.mp4" if turned else "a.mp4")
    film, square = open_film(path), open_film(path, square_pixels=True)
    assert (film.shape, film.pixel_aspect) == (((96, 64), Fraction(45, 64)) if turned else ((64, 96), Fraction(64, 45)))
    assert (square.shape, square.pixel_aspect) == ((137, 64) if turned else (64, 137), 1)
    assert read_film(path).shape[1:3] == square.shape
    wide, narrow = (next(iter(frames.frames())).mean((0, 1)) for frames in (square, film))
    np.testing.assert_allclose(wide, narrow, atol=0.01)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("size", "tagged", "matrix"),
    [
        *(("640x480", None, "smpte170m"), ("1280x720", None, "bt709"), ("1280x540", None, "bt709")),
        *(("640x480", "bt709", "bt709"), ("1280x720", "smpte170m", "smpte170m")),
    ],
)
def test_colours_by_the_matrix_that_is_told_or_else_by_the_size(tmp_path, size, tagged, matrix):
    source = f"color=c=0xE61A1A:size={size}:rate=10:duration=0.2"
    told = ("-colorspace", tagged) if tagged else ()
    made = ("-vf", f"scale=out_color_matrix={matrix}", "-pix_fmt", "yuv420p", "-c:v", "libx264", *told)
    run_ffmpeg("-f", "lavfi", "-i", source, *made, tmp_path / "a.mp4")
    color = read_film(tmp_path / "a.mp4").mean((0, 1, 2))
    np.testing.assert_allclose(color, np.array([0xE6, 0x1A, 0x1A]) / 255, atol=0.02)  # twice 8 bits; otherwise .07


def hdr_film(path, transfer, nits):
    """A grey of so many cd/m², by the transfer's own formula (ITU-R BT.2100-2, tables 4 and 5)."""
    if transfer == "smpte2084":
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        power = (nits / 10000) ** m1
        code = ((c1 + c2 * power) / (1 + c3 * power)) ** m2
    else:
        scene = (nits / 1000) ** (1 / 1.2)  # of a display of 1000 cd/m²
        code = np.sqrt(3 * scene) if scene <= 1 / 12 else 0.17883277 * np.log(12 * scene - 0.28466892) + 0.55991073
    luma, chroma = np.full(64 * 96, round(64 + 876 * code), "<u2"), np.full(64 * 96 // 2, 512, "<u2")
    raw = ("-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", "96x64", "-framerate", "10", "-i", "-")
    told = ("-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", transfer, "-color_range", "tv")
    run_ffmpeg(*raw, "-c:v", "libx264", "-qp", "0", *told, path, given=2 * (luma.tobytes() + chroma.tobytes()))


def hable(value):
    """Hable's curve of 2010, as ffmpeg's filter `tonemap` has it."""
    return (value * (0.15 * value + 0.05) + 0.004) / (value * (0.15 * value + 0.5) + 0.06) - 0.02 / 0.3


@needs_ffmpeg
@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize("nits", [10, 100, 203])
def test_hdr_is_tone_mapped(tmp_path, transfer, nits):
    if not all(ffmpeg.has("filters", name) for name in ("zscale", "tonemap")):
        pytest.skip("this ffmpeg has no zscale or no tonemap")
    hdr_film(tmp_path / "a.mp4", transfer, nits)
    film = open_film(tmp_path / "a.mp4")
    seen = np.stack(list(film.frames()))
    wanted = (hable(nits / 100) / hable(10)) ** (1 / 2.4)  # by BT.1886
    np.testing.assert_allclose(seen, np.full((2, 64, 96, 3), wanted), atol=0.01)  # 10 bits, and 8 at last
    assert film.notes == ()


@needs_ffmpeg
def test_the_wide_colours_of_bt2020_become_those_of_bt709(tmp_path):
    if not all(ffmpeg.has("filters", name) for name in ("zscale", "tonemap")):
        pytest.skip("this ffmpeg has no zscale or no tonemap")
    made = "format=gbrp,zscale=tin=bt709:pin=bt709:min=gbr:rin=pc:p=bt2020:t=2020_10:m=2020_ncl:r=tv,format=yuv420p10le"
    told = ("-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", "bt2020-10")
    source = "color=c=0x80C040:size=96x64:rate=10:duration=0.2"
    run_ffmpeg("-f", "lavfi", "-i", source, "-vf", made, "-c:v", "libx264", *told, tmp_path / "a.mp4")
    color = read_film(tmp_path / "a.mp4").mean((0, 1, 2))
    np.testing.assert_allclose(color, np.array([0x80, 0xC0, 0x40]) / 255, atol=0.012)


@pytest.mark.parametrize(
    ("transfer", "kind"), [("smpte2084", r"HDR \(PQ\)"), ("arib-std-b67", r"HDR \(HLG\)"), ("bt709", "in the colours")]
)
def test_hdr_without_the_filters_is_told(tmp_path, monkeypatch, transfer, kind):
    stand_in(tmp_path / "ffmpeg", "echo ' .S. tonemap V->V x'")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    stream = {"color_transfer": transfer, "color_primaries": "bt2020"}
    filters, notes = video_reading.color_filters(tmp_path / "a.mp4", stream)
    assert filters == () and len(notes) == 1
    assert re.search(f"a.mp4' is {kind}.* is read without tone mapping: this ffmpeg has no filter 'zscale'", notes[0])


@needs_ffmpeg
def test_a_video_with_alpha_keeps_it(tmp_path):
    half = ("-vf", "format=yuva444p10le,colorchannelmixer=aa=0.5", "-c:v", "prores_ks", "-profile:v", "4444")
    make_movie(tmp_path / "a.mov", *half, "-pix_fmt", "yuva444p10le")
    film = open_film(tmp_path / "a.mov")
    assert film.transparent
    for picture in film.pictures():
        np.testing.assert_allclose(picture.alpha, 0.5, atol=0.01)


@needs_ffmpeg
def test_a_percent_sign_in_a_name_is_a_character(tmp_path):
    (tmp_path / "fold%d").mkdir()
    make_movie(tmp_path / "fold%d" / "50%.mp4")
    assert open_film(tmp_path / "fold%d" / "50%.mp4").count == 30


def test_what_ffprobe_writes_is_parsed():
    assert video_reading.parse_rate("30000/1001") == Fraction(30000, 1001) and video_reading.parse_rate("0/0") is None
    row = {"": "packet", "pts_time": "N/A", "duration_time": "0.033367"}
    assert video_reading.parse_seconds(row, "pts_time") is None is video_reading.parse_seconds(row, "none")
    assert video_reading.parse_seconds(row, "duration_time") == 0.033367
    assert video_reading.complete_times([None, 0.1, 0.1, None, 0.5], Fraction(10)) == pytest.approx(
        [0, 0.1, 0.2, 0.3, 0.5]
    )
