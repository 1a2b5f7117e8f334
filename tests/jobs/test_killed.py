"""`kill -9` at twenty random moments of each pixel job: the run goes on to the same bytes."""

import killed
import numpy as np
import pytest
import tiny

from jaxstyle.cli import main
from jaxstyle.media.film_writing import write_frames

DREAM = {"size": 32, "octaves": 2, "iterations": 3, "layers": "relu1_1", "jitter": 4, "gradient_octaves": 0}
CHANNELS = {"layer": "relu1_1", "channels": "0:3", "size": 20, "iterations": 6, "pad": 0, "jitter": 0}
STYLIZE = {"initial_iterations": 5, "iterations": 5}


def settings(features, **values):
    return [f"--{name.replace('_', '-')}={value}" for name, value in {"features": features, **values}.items()]


def jobs(pictures, features, folder):
    """The words of every job, and its output."""
    pair, style = [str(pictures / "photo.png"), str(pictures / "painting.png")], str(pictures / "painting.png")
    return {
        "stylize": (["stylize", *pair, *tiny.options(features, **STYLIZE)], "out.png"),
        "a sweep": (["stylize", *pair, *tiny.options(features, **STYLIZE), "--sweep=content_weight=1,9"], "out.png"),
        "film": (
            ["stylize", str(folder / "frames"), style, f"--flow={folder}/flow", *tiny.options(features)],
            "out.gif",
        ),
        "dream": (["dream", pair[0], *settings(features, **DREAM)], "out.png"),
        "a dream of frames": (["dream", pair[0], *settings(features, **DREAM, frames=3)], "out.gif"),
        "texture": (["texture", style, *settings(features, **TEXTURE)], "out.png"),
        "visualize": (["visualize", *settings(features, **CHANNELS)], "out/"),
    }


NAMES = ("stylize", "a sweep", "film", "dream", "a dream of frames", "texture", "visualize")
TEXTURE = STYLIZE | {"size": "40x32", "min_size": 30, "style_loss": "mean-std", "style_layers": "relu1_1"}


def contents(folder):
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_pixel_jobs(name, pictures, tiny_features, tmp_path):
    (tmp_path / "flow").mkdir()
    for number in (1, 2):
        np.save(tmp_path / "flow" / f"backward_{number + 1}_{number}.npy", np.full((36, 48, 2), 0.5, np.float32))
    write_frames(tmp_path / "frames", np.stack([tiny.picture(i, 36, 48) for i in range(3)]), 8)
    words, output = jobs(pictures, tiny_features, tmp_path)[name]

    def into(folder):
        folder.mkdir()
        return [*words, "-o", f"{folder}/{output}"]

    assert main(into(tmp_path / "whole")) == 0
    whole = contents(tmp_path / "whole")
    killed.finish(tmp_path / "first", killed.command, into(tmp_path / "first"))  # its programs are kept
    events, seconds, _ = killed.finish(tmp_path / "again", killed.command, into(tmp_path / "again"))
    count = 0
    for number, moment in enumerate(killed.moments(NAMES.index(name), events, seconds)):
        folder = tmp_path / str(number)
        count += killed.kill(folder, moment, killed.command, command := into(folder))
        assert main([*command, "--resume"]) == 0, moment
        assert contents(folder) == whole, moment
    assert count >= 10
