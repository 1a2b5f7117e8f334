"""Decodes pictures: opening files, colour management, and arrays as pictures. `image_reading` is the way in."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import os
import pathlib
import stat
import warnings
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_writing import srgb_profile

# Just below Pillow's own hard limit (2 * 89.5 megapixels) and above the largest cameras (151 megapixels).
MAX_PIXELS = 170_000_000
PIPED = 2**29  # bytes of a picture that are read from a pipe
# An explicit list, because Pillow would hand an EPS file to Ghostscript, which runs what it says.
FORMATS = [*("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"), *("PPM", "JPEG2000", "AVIF", "TGA", "ICO", "PSD", "QOI")]


class Picture(NamedTuple):
    """A decoded picture.

    Attributes:
      rgb: Float32 `[H, W, 3]` in [0, 1], sRGB, upright.
      alpha: Float32 `[H, W]` in [0, 1] (1 is opaque), not multiplied into `rgb`; None where there is none.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None


@contextlib.contextmanager
def open_image(source: str | os.PathLike | Image.Image | io.BytesIO, name: str) -> Iterator[Image.Image]:
    """Opens an image, by its path, its file's bytes, or open already, for the block; `name` stands in error messages.

    Pillow's warnings are silenced, and its exceptions for files that are missing, empty, damaged, no picture or too
    large become one `JaxstyleError`.
    """
    try:
        with warnings.catch_warnings(), contextlib.ExitStack() as stack:
            warnings.simplefilter("ignore")
            if isinstance(source, Image.Image):
                image = source
            else:
                if not isinstance(source, io.BytesIO):
                    _check_file(pathlib.Path(source), name)
                # By its name Pillow would map a file into memory, and mixes up sides of turned TIFFs that it maps.
                file = source if isinstance(source, io.BytesIO) else stack.enter_context(_open(source, name))
                image = stack.enter_context(Image.open(file, formats=_formats()))
            yield image
    except JaxstyleError:
        raise
    except MemoryError:
        raise JaxstyleError(f"picture {name} asks for more memory than there is; it may be damaged") from None
    except Image.DecompressionBombError:
        raise _too_large(name, "its pixels") from None
    except UnidentifiedImageError:
        if is_tiff(source):
            raise JaxstyleError(f"{name} is a TIFF of a kind that is not read: save it as grey or RGB") from None
        raise JaxstyleError(f"{name} is not a picture in a known format ({', '.join(_formats())})") from None
    except Exception as error:  # decoders raise anything for damaged files: OSError, SyntaxError, struct.error, …
        raise JaxstyleError(f"picture {name} cannot be read, it may be damaged or cut short: {error}") from error


def _open(path: str | os.PathLike, name: str) -> IO[bytes]:
    """Opens a file, or reads a pipe; where nobody writes into it, nobody is waited for."""
    flags = (getattr(os, name, 0) for name in ("O_NONBLOCK", "O_BINARY"))  # each is of some systems only
    file = os.fdopen(os.open(path, os.O_RDONLY | sum(flags)), "rb")
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return file
    with file:
        if not stat.S_ISFIFO(mode):
            raise JaxstyleError(f"{name} is a device, where a picture file is needed")
        os.set_blocking(file.fileno(), True)
        data = file.read(PIPED + 1)
    if not 0 < len(data) <= PIPED:
        reason = f"more than {PIPED >> 20} MiB come" if data else "nothing comes"
        raise JaxstyleError(f"{reason} out of the pipe {name}, where a picture is needed")
    return io.BytesIO(data)


def is_tiff(source: Any) -> bool:
    """Tells whether a path is that of a TIFF, by how the file begins."""
    if not isinstance(source, (str, os.PathLike)) or not os.path.isfile(source):  # a pipe can be read only once
        return False
    with open(source, "rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@functools.cache
def _formats() -> list[str]:
    """Lists those of `FORMATS` that this build of Pillow has; `Image.open` fails on a name it does not know."""
    Image.init()
    with contextlib.suppress(OSError, AttributeError):  # builds that do not show their libtiff, which has its say then
        ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)  # it prints; Pillow raises as well
    return [name for name in FORMATS if name in Image.OPEN]


def _check_file(path: pathlib.Path, name: str) -> None:
    if path.is_dir():
        raise JaxstyleError(f"{name} is a folder, where a picture file is needed")
    if not path.exists():
        raise JaxstyleError(f"picture {name} does not exist")
    if path.is_file() and path.stat().st_size == 0:
        raise JaxstyleError(f"picture {name} is an empty file (0 bytes)")


def _too_large(name: str, what: str) -> JaxstyleError:
    return JaxstyleError(
        f"picture {name} is too large to decode ({what} exceed the limit of {MAX_PIXELS // 10**6} "
        "megapixels): scale it down first"
    )


def check_pixels(width: int, height: int, name: str) -> None:
    """Raises `JaxstyleError` for a picture of more than `MAX_PIXELS`."""
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"its {width}x{height} pixels")


def decode(image: Image.Image, name: str) -> Picture:
    """Decodes an open image, upright and in sRGB; `name` stands in error messages.

    Raises `JaxstyleError` where the image has too many pixels, or floats outside [0, 1].
    """
    check_pixels(*image.size, name)  # before anything is decoded
    image.load()  # before EXIF: damaged pixels must not pass for a damaged orientation
    with contextlib.suppress(Exception):  # unreadable EXIF says nothing about the orientation
        image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _decode_deep(image, name)
    if image.mode in ("RGBa", "La"):
        image = image.convert(image.mode.upper())
    alpha = None
    if image.has_transparency_data:
        alpha = _unit(np.asarray(image.convert("RGBA").getchannel("A")))
    return Picture(_unit(np.asarray(to_srgb(image))), alpha)


def _decode_deep(image: Image.Image, name: str) -> Picture:
    """Decodes grey of more than 8 bits, which Pillow's own conversions would cut off at 255."""
    values = np.asarray(image)
    if image.mode == "F":
        grey = check_floats(values, f"picture {name}")
    elif image.mode == "I":  # 16 bits in 32, or unsigned 32 bits that Pillow shows as signed
        values = values.view(np.uint32)
        grey = values / np.float64(65535 if values.max() < 65536 else 2**32 - 1)
    else:
        grey = values / np.float64(65535)
    curve = _grey_curve(image.info.get("icc_profile"))
    if curve is not None:
        grey = np.interp(grey, np.linspace(0, 1, curve.size), curve)
    clear = image.info.get("transparency")
    alpha = (values != clear).astype(np.float32) if isinstance(clear, int) else None
    return Picture(_grey_to_rgb(grey), alpha)


def _grey_curve(profile: bytes | None) -> np.ndarray | None:
    """Samples a grey ICC profile at 256 levels; None where the profile changes none by more than an 8-bit step."""
    ramp = np.arange(256, dtype=np.uint8)[None]
    image = Image.fromarray(ramp)
    image.info["icc_profile"] = profile
    curve = np.asarray(to_srgb(image))[0, :, 1]
    return None if np.abs(curve - ramp[0].astype(int)).max() <= 1 else curve / 255


def to_srgb(image: Image.Image) -> Image.Image:
    """Converts to mode RGB in sRGB, by the embedded profile where that is whole and fits the colour model."""
    profile = image.info.get("icc_profile")
    if image.mode in ("1", "LA"):
        image = image.convert("L")
    elif image.mode not in ("L", "CMYK", "LAB"):
        image = image.convert("RGB")
    if image.mode == "LAB":
        source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    elif not profile or profile == srgb_profile():
        return image.convert("RGB")
    else:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        except (OSError, ImageCms.PyCMSError):
            return image.convert("RGB")
    try:
        return _transform(image, source)
    except ImageCms.PyCMSError:
        return image.convert("RGB")


def _transform(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    target = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    transform = ImageCms.buildTransform(
        source, target, image.mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    )
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # None only when asked to work in place
    return converted


def from_array(array: np.ndarray) -> Picture:
    """Checks an array and takes it for a picture.

    Args:
      array: `[H, W]`, `[H, W, 1]`, `[H, W, 3]` or `[H, W, 4]`: floats in [0, 1], bool, uint8 or uint16.

    Raises:
      JaxstyleError: The array is another kind.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (1, 3, 4)) or 0 in array.shape:
        raise JaxstyleError(
            f"a picture array must be [H, W], [H, W, 3] or [H, W, 4] and not empty, but its shape is {array.shape}"
        )
    if array.dtype in (np.uint8, np.uint16):
        array = array / np.float64(np.iinfo(array.dtype).max)
    elif array.dtype != bool:
        array = check_floats(array, "the picture array")
    if array.ndim == 2 or array.shape[-1] == 1:
        return Picture(_grey_to_rgb(array.reshape(array.shape[:2])), None)
    array = array.astype(np.float32)
    return Picture(array[..., :3].copy(), array[..., 3].copy() if array.shape[-1] == 4 else None)


def check_floats(values: np.ndarray, what: str) -> np.ndarray:
    """Clips `values` to [0, 1], having checked that clipping mends rounding only."""
    if not np.issubdtype(values.dtype, np.floating):
        raise JaxstyleError(f"{what} holds {values.dtype}: give floats in [0, 1], bool, uint8 or uint16")
    if not np.isfinite(values).all():
        raise JaxstyleError(f"{what} holds NaN or infinity: give floats in [0, 1]")
    low, high = float(values.min()), float(values.max())
    if low < -1e-3 or high > 1 + 1e-3:
        raise JaxstyleError(
            f"{what} holds floats from {low:g} to {high:g}, outside [0, 1]: scale them, by 1/255 if bytes were meant"
        )
    return np.clip(values, 0, 1)


def _unit(values: np.ndarray) -> np.ndarray:
    return (values / np.float64(255)).astype(np.float32)


def _grey_to_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(grey, np.float32)[..., None], 3, axis=-1)
