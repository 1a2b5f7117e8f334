"""Stylisation of pictures by a trained model: many at once over the devices, or one larger than memory in strips."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.inference import strips
from jaxstyle.inference.size_buckets import bucket, in_bucket
from jaxstyle.inference.style_model import StyleModel, check_no_model, load_model, takes_paintings
from jaxstyle.inference.styles import (
    MOST,
    blend_of,
    encode_styles,
    known_weights,
    read_paintings,
    shape_of_styles,
    usual_size,
)
from jaxstyle.media import colors
from jaxstyle.media.contact_sheet import contact_sheet
from jaxstyle.media.image_reading import PictureLike, read_mask, read_visible
from jaxstyle.media.image_resizing import MIN_SIDE, check_mask, check_size, fit_size, resize
from jaxstyle.models.style_network import Segmented
from jaxstyle.ops import reflected
from jaxstyle.runtime import memory
from jaxstyle.runtime.sharding import BatchSharding, choose_devices, sharded_map

PRESERVE = ("none", "luminance", "histogram")
AT_ONCE = 2**20  # pixels that a device is given at once, where pictures are small
ROOM = 0.8  # of the free memory that a pass may take before it goes in strips
SHARE = 0.25  # of the free memory that a strip may take
LEAST_ROWS = 64
FEW = 16  # pictures, for which it does not pay to compile long
PREVIEW = 160  # pixels, of a style on a preview


@dataclasses.dataclass(frozen=True)
class StyleOptions:
    """The style that a model applies, and how.

    Attributes:
      style: A style's name or number, a painting, several of them, or weights of them; see `styles.blend_of`.
      strength: From 0 (the photo; by AdaIN, as its decoder can paint it) to 1; of networks of any style only.
      masks: One a style, `[H, W]` in [0, 1] of the photo's size: where it goes; of networks of any style only.
      preserve_color: `"none"`, `"luminance"` (the photo's chroma) or `"histogram"` (the mean and covariance of its
        colours).
      style_size: Longer side at which paintings are seen, in pixels, of networks of any style only; None sees them as
        large as the photo, 512 at most. They are never enlarged.
      rows: Of a strip, in pixels; None takes strips only where memory is short.
      devices: How many; None takes all.
    """

    style: Any = None
    strength: float = 1.0
    masks: Sequence[np.ndarray] = ()
    preserve_color: str = "none"
    style_size: int | None = None
    rows: int | None = None
    devices: int | None = None

    def check(self, model: StyleModel) -> None:
        """Raises `JaxstyleError` for what cannot be."""
        if self.rows is not None and not isinstance(model.network, Segmented):
            raise JaxstyleError("a U-Net takes a picture whole: leave tile-size out")
        if self.preserve_color not in PRESERVE:
            known = did_you_mean(self.preserve_color, PRESERVE)
            raise JaxstyleError(f"preserve-color {self.preserve_color!r} is unknown; {known}")
        for name, value, least in (("style-size", self.style_size, MIN_SIDE), ("tile-size", self.rows, 16)):
            if value is not None and value < least:
                raise JaxstyleError(f"{name} is {value}; it must be at least {least}")
        choose_devices(self.devices)
        if not model.any_style and (self.masks or self.strength != 1 or self.style_size is not None):
            raise JaxstyleError(
                "masks, strength and style-size are for models of any style; this one has learnt its own"
            )
        if not 0 <= self.strength <= 1:
            raise JaxstyleError(f"the strength is {self.strength:g}; it must be from 0 (the photo) to 1")
        blend = blend_of(self.style)
        if self.masks and len(self.masks) != len(blend):
            raise JaxstyleError(f"there are {len(self.masks)} masks for {len(blend)} styles; give one each")
        if self.masks and len({weight for _, weight in blend}) > 1:
            raise JaxstyleError("masks say how much of each style goes where, grey being some: leave the weights out")


class Stylizer:
    """A model with a style chosen, ready to be applied.

    Args:
      model: Whose.
      options: The style, and how it is applied.

    Raises:
      JaxstyleError: They do not fit, or a painting cannot be read.
    """

    def __init__(self, model: StyleModel, options: StyleOptions):
        options.check(model)
        self.model, self.options, self.devices = model, options, choose_devices(options.devices)
        blend = blend_of(options.style)
        self.shares = np.array([weight for _, weight in blend], np.float32)
        self.encoded: dict[int, Any] = {}  # by the size at which paintings are seen
        self.made = 0  # pictures so far
        if model.any_style:
            self.paintings = read_paintings([style for style, _ in blend])
            if size := options.style_size:
                self.paintings = [painting._replace(rgb=painting.fitted(size)) for painting in self.paintings]
        else:
            self.weights = known_weights(model, blend)

    def style_for(self, height: int, width: int) -> Any:
        """The style argument of the network, for photos of a size."""
        if not self.model.any_style:
            return self.weights
        size = self.options.style_size or usual_size(self.paintings, max(height, width))
        if size not in self.encoded:
            self.encoded[size] = encode_styles(self.model, self.paintings, size, self.options.strength)
        return self.encoded[size]

    def style_and_program(self, carries: Sequence[tuple[np.ndarray, ...]], height: int, width: int) -> Any:
        """`style_for`; the first time the network is compiled meanwhile, in another thread."""
        if self.encoded or not self.model.any_style or self.options.rows:
            return self.style_for(height, width)
        with ThreadPoolExecutor(1) as pool:
            compiled = pool.submit(self.prepare, carries)
            style = self.style_for(height, width)
            compiled.result()
        return style

    def prepare(self, carries: Sequence[tuple[np.ndarray, ...]]) -> None:
        """Compiles the network for a batch."""
        spread, (batch, params) = self.placed(carries)
        self.program(spread).prepare(batch, params, shape_of_styles(self.model, len(self.shares)))

    def batch(self, height: int, width: int) -> int:
        """The number of pictures of a size that are best stylised at once, over all devices."""
        return len(self.devices) * max(1, AT_ONCE // (height * width))

    def together(self, height: int, width: int) -> tuple[int, ...]:
        """Equal for photos of sizes that can be stylised at once, by one compiled program."""
        if not self.model.any_style:
            return height, width
        return bucket(height), bucket(width), self.options.style_size or min(max(height, width), MOST)

    def __call__(
        self, photos: Sequence[np.ndarray], alphas: Sequence[np.ndarray | None] | None = None
    ) -> list[np.ndarray]:
        """Stylises photos of one size, or of sizes that go `together`.

        Args:
          photos: `[H, W, 3]` in [0, 1].
          alphas: `[H, W]` in [0, 1] of each, or None: how much pixels count where colours are matched.

        Returns:
          Float32 `[H, W, 3]` in [0, 1] each.
        """
        carries = [self.begin(photo) for photo in photos]
        style = self.style_and_program(carries, *photos[0].shape[:2])
        rows = self.options.rows or self.short_of_memory(carries, style)
        made = [self.in_strips(carry, style, rows) for carry in carries] if rows else self.whole(carries, style)
        self.made += len(made)
        alphas = alphas or [None] * len(photos)
        return [self.finish(*each) for each in zip(made, photos, alphas, strict=True)]

    def begin(self, photo: np.ndarray) -> tuple[np.ndarray, ...]:
        """The network's input: the photo's pixels and, for a model of any style, the share of each painting at each."""
        if not self.model.any_style:
            return (photo,)
        if not self.options.masks:
            return photo, np.broadcast_to(self.shares, (*photo.shape[:2], len(self.shares)))
        masks = np.stack([resize(mask, *photo.shape[:2]) for mask in self.options.masks], -1)
        return photo, masks / np.maximum(1, masks.sum(-1, keepdims=True))

    def whole(self, carries: Sequence[tuple[np.ndarray, ...]], style: Any) -> list[np.ndarray]:
        """All at once, spread over the devices."""
        spread, (batch, params) = self.placed(carries)
        arguments = batch, params, spread.replicate(style)
        made = spread.gather(self.program(spread)(*arguments))
        sizes = [carry[0].shape[:2] for carry in carries]
        return [picture[:height, :width] for picture, (height, width) in zip(made, sizes, strict=True)]

    def program(self, spread: BatchSharding) -> Any:
        """The compiled network: first what is compiled soon, and after some pictures what runs fast."""
        return program(self.model.network, tuple(spread.devices), self.made < FEW)

    def placed(self, carries: Sequence[tuple[np.ndarray, ...]]) -> tuple[BatchSharding, Any]:
        """The sharding of a batch, and the first arguments of its program, the batch and the parameters."""
        spread = BatchSharding(len(carries), self.devices)
        if self.model.any_style:
            carries = [in_bucket(carry, self.model.network.multiple) for carry in carries]
        batch = spread.scatter(tuple(np.stack(leaves) for leaves in zip(*carries, strict=True)))
        return spread, (batch, spread.replicate(self.model.params))

    def in_strips(self, carry: tuple[np.ndarray, ...], style: Any, rows: int) -> np.ndarray:
        """One at a time, a strip at a time."""
        height, width = carry[0].shape[:2]
        network = self.model.network
        batch = tuple(
            np.asarray(reflected.pad_to_multiple(jnp.asarray(leaf[None]), network.multiple)) for leaf in carry
        )
        return strips.run(network, self.model.params, batch, style, rows)[0, :height, :width]

    def short_of_memory(self, carries: Sequence[tuple[np.ndarray, ...]], style: Any) -> int | None:
        """Rows of the strips to take where a whole pass does not fit into memory; None where it does."""
        room = memory.available()
        height, width = carries[0][0].shape[:2]
        if room is None or not isinstance(self.model.network, Segmented) or height * width <= AT_ONCE:
            return None
        spread, (batch, params) = self.placed(carries)
        analysis = self.program(spread).compile(batch, params, spread.replicate(style)).memory_analysis()
        if analysis is None or analysis.temp_size_in_bytes <= ROOM * room:
            return None
        each = analysis.temp_size_in_bytes / (spread.per_device * height)
        return max(LEAST_ROWS, min(height, int(SHARE * room / each)))

    def finish(self, picture: np.ndarray, photo: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
        """A picture within [0, 1], in the photo's visible colours where that was asked for."""
        picture = np.clip(picture, 0, 1).astype(np.float32)
        if self.options.preserve_color == "luminance":
            return colors.keep_luminance_only(picture, photo)
        if self.options.preserve_color == "histogram":
            return colors.match_color(picture, photo, alpha, alpha)
        return picture


@functools.lru_cache(maxsize=8)
def program(network: Any, devices: tuple[jax.Device, ...], quick: bool = False) -> Any:
    """`(carry [devices, per_device, H, W, …], params, style) -> [devices, per_device, H, W, 3]`.

    Of a network of any style the carry ends in the sides of the pictures, see `in_bucket`.
    """

    def stylise(carry: Any, params: Any, style: Any) -> jax.Array:
        if not takes_paintings(network):
            return network.apply({"params": params}, carry[0][None], style)[0]
        photo, shares, sides = carry
        with reflected.inside(sides, photo.shape[:2]):
            return network.apply({"params": params}, photo[None], shares[None], style)[0]

    return sharded_map(stylise, devices, in_axes=(0, None, None), quick=quick)


def apply_style(
    picture: PictureLike,
    style: Any = None,
    model: StyleModel | str | os.PathLike | None = None,
    *,
    strength: float = 1.0,
    masks: Sequence[PictureLike] = (),
    preserve_color: str = "none",
    style_size: int | None = None,
    tile_size: int | None = None,
) -> np.ndarray:
    """Stylises a picture of any size in one pass of a trained network.

    Args:
      picture: The photo: a path, a PIL image, or floats `[H, W, 3]` in [0, 1].
      style: A painting likewise; of a model that has learnt its styles, a name or number. Or several, `["a", "b"]` for
        equal parts or `[("a", 0.3), ("b", 0.7)]`.
      model: Its folder or file, or the model already loaded (`jaxstyle.load_model`); None takes the network of any
        style that comes with the package.
      strength: Of a model of any style, from 0 to 1.
      masks: Of a model of any style, one a style: where in the photo it goes.
      preserve_color: `"none"`, `"luminance"` or `"histogram"`.
      style_size: Of a model of any style, the longer side at which paintings are seen, in pixels; None sees them as
        large as the photo, 512 at most.
      tile_size: Rows of the strips in which it is worked out, in pixels; None takes strips only where memory is short.
        The picture is the same.

    Returns:
      Float32 `[H, W, 3]`, sRGB in [0, 1].

    Raises:
      JaxstyleError: An input that cannot be, told in one sentence.
    """
    check_no_model(picture)
    model = model if isinstance(model, StyleModel) else load_model(model)
    read = [read_mask(mask) for mask in masks]
    options = StyleOptions(style, strength, read, preserve_color, style_size, tile_size)
    photo, alpha = read_visible(picture)
    check_photo(photo, "the picture", options)
    return Stylizer(model, options)([photo], [alpha])[0]


def check_photo(photo: np.ndarray, name: str, options: StyleOptions) -> None:
    """Raises `JaxstyleError` for a photo that is too small, or that the masks do not fit."""
    height, width = photo.shape[:2]
    check_size(height, width, name)
    for i, mask in enumerate(options.masks, 1):
        check_mask(f"mask {i}", mask, name, photo)


def preview(model: StyleModel) -> np.ndarray:
    """A contact sheet `[H, W, 3]` of a model: the example photo in each of its styles, or in two example paintings'."""
    photo = read_visible("example:landscape").rgb
    photo = resize(photo, *fit_size(photo.shape[0], photo.shape[1], PREVIEW))
    styles = ["example:brushwork", "example:mosaic"] if model.any_style else list(model.styles)
    made = [Stylizer(model, StyleOptions(style))([photo])[0] for style in styles]
    columns = min(len(styles), math.ceil(math.sqrt(2 * len(styles))))
    return contact_sheet(made, [style.removeprefix("example:") for style in styles], columns, PREVIEW)
