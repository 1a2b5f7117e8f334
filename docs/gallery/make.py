"""Makes the pictures of README and manual: `python docs/gallery/make.py [--size 384] [NAME …]`, into docs/pictures.

Photos are scikit-image's (pip install scikit-image), paintings lie beside this file; NOTICE names all sources. At
`--size 64 --output DIR` it takes minutes, which is how the nightly CI sees that every picture can still be made.
`recipes.py` makes the pictures of recipes.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import skimage.data

import jaxstyle
from jaxstyle.media.contact_sheet import contact_sheet
from jaxstyle.media.image_resizing import fit_size, resize
from jaxstyle.pixels.objectives import Activations, content, style_of, term

HERE = pathlib.Path(__file__).parent
SHOWN = 400
"""Longest side of a picture, in pixels."""


def photo(name: str) -> np.ndarray:
    """One of scikit-image's photos, `[H, W, 3]` in [0, 1]."""
    return getattr(skimage.data, name)() / np.float32(255)


def painting(name: str) -> str:
    """The path of a painting."""
    return str(HERE / "paintings" / f"{name}.jpg")


def stylized(size: int) -> np.ndarray:
    """The cat in the style of the Starry Night."""
    return jaxstyle.stylize(photo("chelsea"), painting("starry_night"), size=size).picture


def at_once(size: int) -> np.ndarray:
    """The cat likewise, by the network of any style in the package."""
    return jaxstyle.apply_style(resized(photo("chelsea"), size), painting("starry_night"))


def texture(size: int) -> np.ndarray:
    """A piece of the Starry Night's sky, and a texture of it, twice as wide."""
    piece = jaxstyle.read_picture(painting("starry_night")).rgb[:200, :200]
    made = jaxstyle.synthesize_texture(piece, size=f"{size // 16 * 16}x{size // 32 * 16}").picture
    height = made.shape[0]
    return np.concatenate([resize(piece, height, height), np.ones((height, 8, 3), np.float32), made], 1)


def resized(picture: np.ndarray, size: int) -> np.ndarray:
    """A picture at a longer side of `size` pixels."""
    return resize(picture, *fit_size(*picture.shape[:2], size))


def dream(size: int) -> np.ndarray:
    """A dream on the coffee."""
    return jaxstyle.dream(photo("coffee"), size=size, layers=("relu4_2",), iterations=30).picture


def atlas(size: int) -> np.ndarray:
    """What six channels respond to."""
    side = max(48, size // 4)
    made = jaxstyle.visualize(layer="relu4_1", channels="0,3,4,17,24,40", size=side)
    return contact_sheet(made.pictures, ["0", "3", "4", "17", "24", "40"], 3, side)


def objective(size: int) -> np.ndarray:
    """The landscape in brush strokes, made like its own mirror image by a term written here."""

    def mirrored(activations: Activations, layer: str, numbers: Any) -> jax.Array:
        return -jnp.mean(jnp.square(activations.pictures - activations.pictures[..., ::-1, :]))

    features, painting = jaxstyle.load_features("bundled"), jaxstyle.read_picture("example:brushwork").rgb
    style = -style_of(features, painting, ("relu1_1", "relu2_1", "relu3_1"))
    wanted = style - 0.2 * content("relu3_1") + 20 * term("mirror", mirrored)
    settings = {"size": size // 2, "initial_iterations": 100, "iterations": 60, "features": features}
    return jaxstyle.stylize("example:landscape", "example:brushwork", objective=wanted, **settings).picture


PICTURES: dict[str, Callable[[int], np.ndarray]] = {
    "chelsea": lambda size: photo("chelsea"),
    "starry_night": lambda size: jaxstyle.read_picture(painting("starry_night")).rgb,
    "chelsea_starry_night": stylized,
    "at_once": at_once,
    "texture": texture,
    "coffee": lambda size: photo("coffee"),
    "dream": dream,
    "atlas": atlas,
    "objective": objective,
}
"""By name, functions of the longer side at which the picture is made, in pixels."""


def main() -> None:
    """Makes the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PICTURES)} (default: all)")
    parser.add_argument("--size", type=int, default=384, help="longer side, pixels (default: 384)")
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent / "pictures", help="folder")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    for name in args.names or PICTURES:
        picture = PICTURES[name](args.size)
        if max(picture.shape) > SHOWN:
            picture = resized(picture, SHOWN)
        jaxstyle.write_picture(args.output / f"{name}.jpg", picture)
        print(args.output / f"{name}.jpg", flush=True)


if __name__ == "__main__":
    main()
