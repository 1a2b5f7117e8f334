"""`jaxstyle apply` and `apply_style`: styles, blends, strips, devices, colours, files, and bad input."""

import shutil

import numpy as np
import pytest
import tiny
from tiny_models import any_model, known_model, transport_model

import jaxstyle
from jaxstyle.cli import main
from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import apply
from jaxstyle.inference.style_model import save_model
from jaxstyle.inference.styles import Painting, parse_blend, usual_size
from jaxstyle.media import image_writing
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.media.image_writing import write_picture


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with both models, photos and a mask."""
    folder = tmp_path_factory.mktemp("apply")
    save_model(folder / "known", known_model(), np.zeros((8, 8, 3)))
    save_model(folder / "any", any_model(), np.zeros((8, 8, 3)))
    (folder / "photos").mkdir()
    for i, name in enumerate(("photos/a.png", "photos/b.png", "photo.png", "painting.png")):
        write_picture(folder / name, tiny.picture(i, 24, 32))
    (folder / "films").mkdir()
    (folder / "films" / "a.mp4").write_bytes(b"")
    write_picture(folder / "small.png", tiny.picture(7, 8, 8))
    write_picture(folder / "thin.png", tiny.picture(8, 17, 50))
    mask = np.zeros((24, 32, 3))
    mask[:, :16] = 1
    write_picture(folder / "mask.png", mask)
    write_picture(folder / "rest.png", 1 - mask)
    return folder


def call(model, style=None, photo=None, **options):
    return jaxstyle.apply_style(tiny.picture(2, 24, 32) if photo is None else photo, style, model, **options)


def test_styles_by_name_number_and_blend():
    model = known_model()
    red, blue = call(model, "red"), call(model, 1)
    assert red[..., 0].mean() > blue[..., 0].mean() + 0.1 and red.shape == (24, 32, 3)
    np.testing.assert_array_equal(call(model, "0"), red)
    even = call(model, ["red", "blue"])
    np.testing.assert_allclose(even, call(model, {"red": 2, "blue": 2}), atol=1e-6)
    assert red[..., 0].mean() > even[..., 0].mean() > blue[..., 0].mean()


@pytest.mark.slow
@pytest.mark.parametrize(("make", "style"), [(known_model, "red"), (any_model, tiny.picture(3, 24, 32))])
def test_strips_and_devices_make_no_difference(make, style):
    photos = [tiny.picture(i, 24, 32) for i in range(3)]
    model, look = make(), apply.StyleOptions(style)
    together = apply.Stylizer(model, look)(photos)  # on three of eight devices
    alone = apply.Stylizer(model, apply.StyleOptions(style, devices=1))(photos[:1])
    np.testing.assert_allclose(together[0], alone[0], atol=1e-5)
    np.testing.assert_allclose(call(model, style, photos[0], tile_size=16), alone[0], atol=1e-5)


def test_strips_are_taken_where_memory_is_short(monkeypatch):
    model, rows = known_model(), []
    stylizer = apply.Stylizer(model, apply.StyleOptions("red"))
    whole = stylizer([tiny.picture(2, 24, 32)])[0]
    monkeypatch.setattr(apply, "AT_ONCE", 1)
    monkeypatch.setattr(apply, "LEAST_ROWS", 8)
    monkeypatch.setattr(apply.memory, "available", lambda: 20_000.0)
    run = apply.strips.run
    monkeypatch.setattr(apply.strips, "run", lambda *args: rows.append(args[-1]) or run(*args))
    np.testing.assert_allclose(stylizer([tiny.picture(2, 24, 32)])[0], whole, atol=1e-5)
    assert len(rows) == 1 and 8 <= rows[0] < 24


def test_the_order_of_earlier_versions_is_told(here):
    for model in (known_model(), str(here / "known")):
        with pytest.raises(JaxstyleError, match=r"is a model: .* apply_style\(picture, style, model\)"):
            jaxstyle.apply_style(model, here / "photo.png", 1)


def test_masks_and_strength():
    model, left = any_model(), np.zeros((24, 32), np.float32)
    left[:, :16] = 1
    paintings = [tiny.picture(3, 24, 32), 1 - tiny.picture(4, 24, 32)]
    split, first = call(model, paintings, masks=[left, 1 - left]), call(model, paintings[:1])
    turned = call(model, paintings[::-1], masks=[1 - left, left])
    np.testing.assert_allclose(split, turned, atol=1e-5)
    plain = call(model, paintings[:1], strength=0.0)
    np.testing.assert_allclose(call(model, paintings[1:], strength=0.0), plain, atol=1e-5)
    assert np.abs(first - plain).mean() > 1e-3 and np.abs(split - first).mean() > 1e-3


@pytest.mark.slow
def test_masks_strength_blends_and_devices_of_a_network_that_transports():
    model, photo, left = transport_model(), tiny.picture(2, 24, 32), np.zeros((24, 32), np.float32)
    left[:, :16] = 1
    paintings = [tiny.picture(3, 24, 32), 1 - tiny.picture(4, 24, 32)]
    np.testing.assert_allclose(call(model, paintings[:1], strength=0.0), photo, atol=1e-5)
    split = call(model, paintings, masks=[left, 1 - left])
    np.testing.assert_allclose(split, call(model, paintings[::-1], masks=[1 - left, left]), atol=1e-4)
    for half, painting in ((split[:, :16], paintings[0]), (split[:, 16:], paintings[1])):  # each has its own's colours
        np.testing.assert_allclose(half.mean((0, 1)), painting.mean((0, 1)), atol=0.02)
    weights = [(paintings[0], 0.3), (paintings[1], 0.7)]
    several = apply.Stylizer(model, apply.StyleOptions(weights))([photo, photo[::-1]])  # on two devices
    np.testing.assert_allclose(several[0], call(model, weights), atol=1e-4)
    with pytest.raises(JaxstyleError, match="masks say how much of each style goes where"):
        call(model, weights, masks=[left, 1 - left])


@pytest.mark.slow
def test_paintings_are_seen_as_large_as_the_photo_and_never_enlarged():
    model, photo, painting = transport_model(), tiny.picture(2, 24, 32), tiny.picture(3, 60, 80)
    usual = call(model, [painting], photo)
    np.testing.assert_array_equal(usual, call(model, [painting], photo, style_size=32))
    assert np.abs(usual - call(model, [painting], photo, style_size=80)).max() > 1e-3
    np.testing.assert_array_equal(
        call(model, [painting], photo, style_size=80), call(model, [painting], photo, style_size=200)
    )
    assert usual_size([Painting("", np.zeros((600, 900, 3)))], 2000) == 512
    assert usual_size([Painting("", np.zeros((16, 320, 3)))], 64) == 320  # so that 16 pixels are left of its height


def test_the_photos_colours_are_kept():
    model, photo = known_model(), tiny.picture(2, 24, 32)
    luminance = call(model, "red", preserve_color="luminance")
    chroma = np.array([0.595901, -0.274557, -0.321344])
    agree = np.corrcoef((luminance @ chroma).ravel(), (photo @ chroma).ravel())[0, 1]
    assert agree > 0.9
    matched = call(model, "red", preserve_color="histogram")
    np.testing.assert_allclose(matched.mean((0, 1)), photo.mean((0, 1)), atol=0.05)  # but for clipping


def test_what_is_invisible_does_not_count_among_a_photos_colours():
    """A photo of which the right half is invisible takes the mean that its left half has."""
    rgb, alpha = 0.3 + 0.4 * tiny.picture(2, 24, 32), np.zeros((24, 32, 1), np.float32)
    rgb[:, 16:], alpha[:, :16] = 0, 1
    made = call(known_model(), "red", np.dstack([rgb, alpha]), preserve_color="histogram")
    np.testing.assert_allclose(made[:, :16].mean((0, 1)), rgb[:, :16].mean((0, 1)), atol=0.005)  # but for clipping


def test_a_folder_and_a_file(here, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(here)
    out = tmp_path / "out"
    out.mkdir()
    assert main(["apply", "--model", "known", "photos", "-o", str(out), "--interpolate", "red:1,blue:3"]) == 0
    assert {path.name for path in out.iterdir()} == {"a.png", "b.png"}
    assert capsys.readouterr().out == f"{out / 'a.png'}\n{out / 'b.png'}\n"
    assert read_settings(out / "a.png")["styles"] == [["red", 0.25], ["blue", 0.75]]
    expected = call(known_model(), {"red": 1, "blue": 3}, "photos/a.png")
    np.testing.assert_allclose(read_picture(out / "a.png").rgb, expected, atol=0.5 / 255 + 1e-5)
    words = ["any", "photo.png", "--style=painting.png", "--style=photo.png", "--mask=mask.png", "--mask=rest.png"]
    assert main(["apply", "--model", *words, "-o", str(out / "c.png"), "--size=24", "--bits=16"]) == 0
    assert read_picture(out / "c.png").rgb.shape == (18, 24, 3)


def test_models_show(here, capsys):
    assert main(["models", "show", str(here / "known")]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["  0  red", "  1  blue"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("known", "photo.png"), "the model knows 2 styles (red, blue, …): choose by name or number"),
        (("known", "photo.png", "--style=rde"), "the model has no style 'rde' (numbers: 0 to 1); did you mean 'red'"),
        (("known", "photo.png", "--style=²"), "the model has no style '²'"),
        (("known", "photo.png", "--style=2"), "the model has no style '2'"),
        (("known", "photo.png", "--style=red", "--interpolate=red:1"), "--style and --interpolate both say"),
        (("known", "photo.png", "--interpolate=red"), "--interpolate 'red' is not of the form a:0.3,b:0.7"),
        (("known", "photo.png", "--interpolate=red:-1"), "a style's weight is -1"),
        (("known", "photo.png", "--interpolate=red:0"), "the styles' weights are all zero"),
        (("known", "photo.png", "--interpolate="), "--interpolate '' is not of the form a:0.3,b:0.7"),
        (
            ("known", "photo.png", "--style=red", "--strength=0.5"),
            "masks, strength and style-size are for models of any",
        ),
        (
            ("known", "photo.png", "--style=red", "--style-size=64"),
            "masks, strength and style-size are for models of any",
        ),
        (("known", "thin.png", "--style=red", "--size=32"), "'thin.png at --size 32' has 32x11 pixels, too few"),
        (("known", "photo.png", "--style=red", "--preserve-color=luma"), "did you mean 'luminance'"),
        (("known", "photo.png", "--style=red", "--tile-size=3"), "tile-size is 3; it must be at least 16"),
        (("known", "photo.png", "--style=red", "--size=3"), "--size is 3; it must be from 16 to 30000"),
        (("known", "photo.png", "--style=red", "--size=60000"), "--size is 60000; it must be from 16 to 30000"),
        (("known", "photo.png", "--style=red", "--devices=99"), "99 devices asked for"),
        (("known", "photos", "--style=red"), "several pictures go into a folder"),
        (("known", "small.png", "--style=red"), "'small.png' has 8x8 pixels, too few"),
        (("known", "none.png", "--style=red"), "'none.png' does not exist"),
        (("known", "films", "--style=red"), "the folder 'films' holds a film, 'a.mp4': name films one by one"),
        (("photos", "photo.png", "--style=red"), "'photos' is no style model, it has no config.json"),
        (("photo.png", "photo.png", "--style=red"), "the model 'photo.png' is a file; name a folder"),
        (("any", "photo.png"), "the model takes any style: name a painting"),
        (("any", "photo.png", "--style=none.png"), "'none.png' does not exist"),
        (("any", "photo.png", "--style=painting.png", "--style-size=20"), "'painting.png' has 20x15 pixels, too few"),
        (("any", "photo.png", "--style=painting.png", "--strength=2"), "the strength is 2; it must be from 0"),
        (("any", "photo.png", "--style=painting.png", "--mask=small.png"), "mask 1 is 8×8 px and photo.png is 32×24"),
        (("any", "photo.png", "--style=painting.png", "--mask=mask.png", "--mask=rest.png"), "there are 2 masks for 1"),
    ],
)
def test_bad_input_is_one_sentence(here, monkeypatch, capsys, words, message):
    monkeypatch.chdir(here)
    before = sorted(here.rglob("*"))
    assert main(["apply", "--model", *words, "-o", "new.png"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and message in captured.err and captured.out == ""
    assert sorted(here.rglob("*")) == before


def test_a_format_too_small_for_the_result_is_told_before_the_pass(here, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(image_writing.MAX_SIDE, "WEBP", 30)
    monkeypatch.setattr(apply.Stylizer, "__call__", None)
    assert (
        main(
            [
                "apply",
                "--model",
                str(here / "known"),
                str(here / "photo.png"),
                "-o",
                f"{tmp_path}/a.webp",
                "--style=red",
            ]
        )
        == 2
    )
    assert "WEBP holds at most 30 pixels a side" in capsys.readouterr().err


def test_the_result_must_not_be_what_it_is_made_from(here, monkeypatch, capsys):
    monkeypatch.chdir(here)
    assert main(["apply", "--model", "known", "photo.png", "-o", "photo.png", "--style=red"]) == 2
    assert "would overwrite 'photo.png'" in capsys.readouterr().err
    assert main(["apply", "--model", "known", "photo.png", "-o", "known/preview.png", "--style=red"]) == 2
    assert "would overwrite 'known/preview.png'" in capsys.readouterr().err


def test_a_blend_is_read():
    assert parse_blend("a.b:1, c:3") == [("a.b", 0.25), ("c", 0.75)]
    assert parse_blend("a:1e308,b:1e308") == [("a", 0.5), ("b", 0.5)]
    with pytest.raises(JaxstyleError, match="finite"):
        parse_blend("a:nan")


@pytest.mark.slow
@pytest.mark.realdata
def test_magentas_model_is_made_and_applied(real_data, tmp_path, monkeypatch, capsys):
    source, target = real_data / "faststyle" / "magenta_multistyle_varied", tmp_path / "model"
    monkeypatch.setattr(apply, "PREVIEW", 16)
    assert main(["models", "convert", str(source), str(target), "--names", ",".join(f"s{i}" for i in range(32))]) == 0
    photo = shutil.copy(real_data / "images" / "content" / "tubingen.jpg", tmp_path)
    words = [str(target), str(photo), "-o", str(tmp_path / "out.png"), "--style=s22", "--size=96"]
    assert main(["apply", "--model", *words]) == 0
    assert read_picture(tmp_path / "out.png").rgb.std() > 0.1
