"""Hostile names, folders and pictures, through the commands that use what was trained."""

import pytest
from hostile.corpus import PLACES, RECIPE, cut, encoded, flipped

COMMANDS = {
    "sample": ["sample", "{}", "-n", "2", "-o", "out/a.png"],
    "predict": ["predict", "{}", "photo.png"],
    "segment": ["segment", "{}", "photo.png", "-o", "out/"],
    "forecast": ["forecast", "{}", "photos", "-o", "out/a.gif"],
    "evaluate": ["evaluate", "{}"],
    "export": ["export", "{}", "-o", "out/a.bin"],
    "apply": ["apply", "--model", "{}", "photo.png", "-o", "out/a.png"],
    "models show": ["models", "show", "{}"],
    "models convert": ["models", "convert", "{}", "out/model"],
    "features convert": ["features", "convert", "{}", "out/a.safetensors"],
    "train": ["train", "{}", "--workdir", "out/run"],
}
NAMES = {
    "nothing": "",
    "a zero": "a\0b",
    "300 letters": "x" * 300,
    "10^5 letters": "x" * 10**5,
    "no text": "\udcff",
    "a line break": "a\nb\x1b[31m",
    "a bucket that is none": "gs://",
    "an address": "http://127.0.0.1:9/a",
    "a file": "photo.png",
    "a folder of pictures": "photos",
}


INTO = {"train": ["train", "good.py", "--workdir", "{}"], "paint": ["train", "style_transfer:test", "--workdir", "{}"]}


def words(command, name):
    return [word.format(name) for word in COMMANDS[command]]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", NAMES)
def test_names(attempt, command, name):
    assert attempt(*words(command, NAMES[name]))[0] == 2


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", PLACES)
def test_places(attempt, here, command, place):
    PLACES[place](here / "bad")
    assert attempt(*words(command, "bad"))[0] == 2


@pytest.mark.parametrize("command", INTO)
@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(("no text", "a line", "a folder"))])
def test_workdirs_that_cannot_be(attempt, here, shapes_dir, command, name):
    (here / "good.py").write_text(RECIPE.format(f"return tiny_task.tiny_config({shapes_dir!r}, train_steps=1)"))
    assert attempt(*[word.format(NAMES[name]) for word in INTO[command]])[0] == 2


PHOTOS = {
    **dict(cut(encoded("PNG"), {"8 bytes": 8, "half": 0.5, "nine tenths": 0.9})),
    **{f"wrong bytes, {seed}": flipped(encoded("PNG"), seed) for seed in range(3)},
    **PLACES,
    "a dot": b"P6 1 1 255\n\1\2\3",
}
WITH_PHOTO = {
    "apply": ["apply", "--model", "known", "bad.png", "--style", "red", "-o", "out/a.png"],
    "apply to several": ["apply", "--model", "known", "photo.png", "bad.png", "--style", "red", "-o", "out/"],
    "apply a painting": ["apply", "--model", "any", "photo.png", "--style", "bad.png", "-o", "out/a.png"],
    "apply a mask": [
        "apply",
        "--model",
        "any",
        "photo.png",
        "--style",
        "style.png",
        "--mask",
        "bad.png",
        "-o",
        "out/a.png",
    ],
    "dream": [
        "dream",
        "bad.png",
        "--features",
        "net.safetensors",
        "-o",
        "out/a.png",
        "--iterations=1",
        "--layers=relu1_1",
    ],
    "texture": ["texture", "bad.png", "--features", "net.safetensors", "-o", "out/a.png"],
}


@pytest.mark.parametrize("command", WITH_PHOTO)
@pytest.mark.parametrize("photo", PHOTOS)
def test_photos(attempt, here, command, photo):
    path, made = here / "bad.png", PHOTOS[photo]
    path.write_bytes(made) if isinstance(made, bytes) else made(path)
    assert attempt(*WITH_PHOTO[command])[0] == 2
