"""Writes pictures and masks: PNG, JPEG, WebP and TIFF, with sRGB profile and settings; same input, same bytes."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import pathlib
import struct
import zlib
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.alpha import on_white
from jaxstyle.runtime import atomic

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
DEEP = ("PNG", "TIFF")  # the formats that hold 16 bits a channel
MAX_SIDE = {"JPEG": 65500, "WEBP": 16383}
# WebP is lossless because its lossy form always halves the chroma's resolution, where much of a style sits.
_PILLOW_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"lossless": True, "exact": True},
}
_JPEG_SEGMENT = 65_000  # bytes that one JPEG segment, and so its EXIF, can hold
_DESCRIPTION = 0x010E  # EXIF and TIFF tag ImageDescription


@functools.cache
def srgb_profile() -> bytes:
    """Makes an sRGB ICC profile whose bytes depend on neither the day nor the system.

    LittleCMS writes the time of its creation and the platform into the header (ICC.1:2022, 7.2: bytes 24 to
    35 and 40 to 43); both are replaced, and the profile ID (84 to 99) is zero, "not calculated".
    """
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    profile[40:44] = bytes(4)
    profile[84:100] = bytes(16)
    return bytes(profile)


def check_writable(path: str | os.PathLike, bits: int = 8) -> None:
    """Checks before a long run that `write_picture` will be able to write there, by trying.

    Args:
      path: The picture to be written.
      bits: Bits a channel, 8 or 16.

    Raises:
      JaxstyleError: The suffix is unknown, the format cannot hold `bits`, `path` is a folder, or its folder
        does not exist, is a file, or cannot be written.
    """
    target = pathlib.Path(path)
    _kind(target, bits)
    folder = os.path.dirname(target) or "."  # os.path, whose tests are False for names that cannot be
    if os.path.isdir(target):
        example = os.path.join(target, "out.png")
        raise JaxstyleError(f"output {str(target)!r} is a folder: name a file in it, such as {example!r}")
    if not os.path.exists(folder):
        raise JaxstyleError(f"output folder {folder!r} does not exist: make it first, or name another")
    if not os.path.isdir(folder):
        raise JaxstyleError(f"output folder {folder!r} is a file: name a folder")
    write_whole(target, None)


def check_sides(path: str | os.PathLike, height: int, width: int) -> None:
    """Raises `JaxstyleError` where the format of the path's suffix cannot hold `height` × `width` pixels."""
    target = pathlib.Path(path)
    kind = _kind(target, 8)
    if max(height, width) > MAX_SIDE.get(kind, 2**31):
        raise JaxstyleError(
            f"{kind} holds at most {MAX_SIDE[kind]} pixels a side: write {target.name!r} as PNG or TIFF"
        )


def write_picture(
    path: str | os.PathLike,
    rgb: np.ndarray,
    *,
    alpha: np.ndarray | None = None,
    bits: int = 8,
    settings: dict[str, Any] | None = None,
) -> None:
    """Writes a picture in the format of its suffix; the file appears only when whole.

    PNG, TIFF and WebP are lossless, JPEG has quality 95 and no chroma subsampling. Every file carries an sRGB
    profile. Values are rounded half to even, without dithering, so equal input gives equal bytes.

    Args:
      path: Ends in .png, .jpg, .jpeg, .webp, .tif or .tiff.
      rgb: `[H, W, 3]`, sRGB, clipped to [0, 1].
      alpha: `[H, W]`, clipped to [0, 1], or None; JPEG, which has no alpha, gets the picture on white.
      bits: Bits a channel: 8, or 16 for PNG and TIFF.
      settings: Recorded as JSON in the file's ImageDescription (see `jaxstyle.media.image_reading.read_settings`);
        JPEG leaves out settings of more than 65 kB, which it cannot hold.

    Raises:
      JaxstyleError: The suffix is unknown, the format cannot hold `bits` or the size, the picture is not a
        finite `[H, W, 3]`, or writing fails; then nothing is left behind and an older file stays.
    """
    target = pathlib.Path(path)
    kind = _kind(target, bits)
    pixels = _pixels(np.asarray(rgb, np.float64), alpha, bits, opaque=kind == "JPEG")
    check_sides(target, *pixels.shape[:2])
    text = json.dumps(settings, sort_keys=True) if settings is not None else None
    if kind == "TIFF":
        data = _tiff(pixels, text)
    elif bits == 16:
        data = _png16(pixels, text)
    else:
        data = _pillow(pixels, kind, text)
    write_whole(target, data)


def write_mask(path: str | os.PathLike, mask: np.ndarray) -> None:
    """Writes numbers `[H, W]` uint8 as a grey PNG, which appears only when whole.

    Raises `JaxstyleError` for another suffix or array, or where writing fails; then an older file stays.
    """
    target = pathlib.Path(path)
    if target.suffix.lower() != ".png":
        raise JaxstyleError(f"the mask {str(target)!r} must end in .png")
    if mask.ndim != 2 or mask.dtype != np.uint8 or not mask.size:
        raise JaxstyleError(f"a mask to write must be uint8 [H, W] and not empty, but it is {mask.dtype} {mask.shape}")
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, format="PNG")
    write_whole(target, buffer.getvalue())


def _kind(path: pathlib.Path, bits: int) -> str:
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise JaxstyleError(f"output {str(path)!r} must end in one of {', '.join(SUFFIXES)}")
    if bits not in (8, 16):
        raise JaxstyleError(f"pictures are written with 8 or 16 bits a channel, not {bits}")
    if bits == 16 and kind not in DEEP:
        raise JaxstyleError(f"{kind} cannot hold 16 bits a channel: name {path.name!r} .png or .tif, or ask for 8 bits")
    return kind


def _pixels(rgb: np.ndarray, alpha: np.ndarray | None, bits: int, opaque: bool) -> np.ndarray:
    """Quantises to integers `[H, W, 3 or 4]` of `bits` bits."""
    if rgb.ndim != 3 or rgb.shape[-1] != 3 or 0 in rgb.shape:
        raise JaxstyleError(f"the picture to write must be [H, W, 3], but its shape is {rgb.shape}")
    if alpha is not None:
        alpha = np.asarray(alpha, np.float64)
        if alpha.shape != rgb.shape[:2]:
            raise JaxstyleError(f"alpha of shape {alpha.shape} does not fit a picture of shape {rgb.shape}")
        alpha = np.clip(alpha, 0, 1)
        rgb = on_white(np.clip(rgb, 0, 1), alpha) if opaque else np.concatenate([rgb, alpha[..., None]], axis=-1)
    if not np.isfinite(rgb).all():
        raise JaxstyleError("the picture to write holds NaN or infinity")
    levels = np.rint(np.clip(rgb, 0, 1) * (2**bits - 1))
    return levels.astype(np.uint8 if bits == 8 else np.uint16)


def exif_bytes(text: str) -> bytes:
    """Makes EXIF data whose ImageDescription is `text`, with the header `Exif`."""
    exif = Image.Exif()
    exif[_DESCRIPTION] = text
    return exif.tobytes()


def _pillow(pixels: np.ndarray, kind: str, text: str | None) -> bytes:
    options = {**_PILLOW_OPTIONS[kind], "icc_profile": srgb_profile()}
    if text is not None and not (kind == "JPEG" and len(text) > _JPEG_SEGMENT):
        options["exif"] = exif_bytes(text)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind, **options)
    return buffer.getvalue()


def _tiff(pixels: np.ndarray, text: str | None) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        pixels,
        photometric="rgb",
        planarconfig="contig",
        extrasamples=["unassalpha"] if pixels.shape[-1] == 4 else None,
        compression="zlib",
        predictor=True,
        iccprofile=srgb_profile(),
        description=text,
        metadata=None,  # nothing but what is asked for: no shape, no date, no software
        software=False,
    )
    return buffer.getvalue()


def _png16(pixels: np.ndarray, text: str | None) -> bytes:
    """Encodes a 16-bit colour PNG, which Pillow cannot write (W3C PNG, third edition; the Up filter on every row)."""
    height, width, channels = pixels.shape
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    rows = np.concatenate([rows[:1], np.diff(rows, axis=0)])  # bytewise, modulo 256
    filtered = np.concatenate([np.full((height, 1), 2, np.uint8), rows], axis=1)
    header = struct.pack(">2I5B", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), png_profile()]
    if text is not None:
        chunks.append(png_chunk(b"eXIf", exif_bytes(text).removeprefix(b"Exif\0\0")))
    chunks += [png_chunk(b"IDAT", zlib.compress(filtered.tobytes())), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png_profile() -> bytes:
    """Makes a PNG's chunk of the sRGB profile."""
    return png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Makes a chunk of a PNG: its length, type, data and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_whole(target: pathlib.Path, data: bytes | None) -> None:
    """Writes a file whole or not at all; without data only tries whether that is possible.

    Raises:
      JaxstyleError: Writing fails; then nothing is left behind and an older file stays.
    """
    try:
        if data is not None:
            atomic.write_bytes(target, data)
        else:
            _try_writing(target)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise JaxstyleError(f"output {str(target)!r} cannot be written: {reason}") from error


def _try_writing(target: pathlib.Path) -> None:
    """Writes and removes an empty file beside `target`."""
    whole = pathlib.Path(os.path.realpath(target))
    temporary = whole.with_name(f".{whole.name}.{os.getpid()}.tmp")
    try:
        temporary.touch()
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
