"""Values in masks and the classes they stand for: numbers of classes or of objects, named values, colours."""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import Any

import numpy as np

from jaxstyle.data.config import DataConfig
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.settings import named

IGNORED = 255
"""Value, in an example's `mask`, of pixels that have no class."""
COLOR = re.compile("#[0-9a-fA-F]{6}")


@dataclasses.dataclass(frozen=True)
class MaskCoding:
    """Decodes the values in masks.

    Attributes:
      classes: Number of classes.
      objects: Whether values number objects, so that every value above 0 is class 1.
      values: Value of every class, `[C]` numbers or `[C, 3]` colours; None where values are the numbers of classes.
      tolerance: Largest distance of a pixel from a value, in each channel.
      ignored: Values of pixels without a class, `[K]` or `[K, 3]`.
    """

    classes: int
    objects: bool
    values: np.ndarray | None
    tolerance: int
    ignored: np.ndarray

    @property
    def colored(self) -> bool:
        """Whether masks are read as colours."""
        return self.values is not None and self.values.ndim == 2

    @classmethod
    def of(cls, data: DataConfig) -> MaskCoding:
        """Makes the coding that the settings on masks describe.

        Raises:
          JaxstyleError: A setting that cannot be, alone or with others.
        """
        check_counts(data)
        table = parse_values((*data.mask_values, *data.mask_ignore))
        check_distances(table, data)
        values, ignored = np.split(table, [len(data.mask_values)])
        named_values = values if data.mask_values else None
        return cls(len(data.mask_classes), data.mask_objects, named_values, data.mask_tolerance, ignored)

    def decode(self, pixels: np.ndarray, name: str) -> np.ndarray:
        """Converts the values in a mask to numbers of classes `[H, W]` uint8, `IGNORED` where a pixel has none.

        `pixels` are `[H, W]` bool or integers, or `[H, W, 3]` uint8 where `colored`; `name` is the mask's, for
        sentences. Raises `JaxstyleError` where a value is of no class.
        """
        if self.values is not None:
            return self.nearest(pixels, self.values, name)
        ignored = np.isin(pixels, self.ignored)
        if self.objects:
            check_objects(pixels[~ignored], name)
            return np.where(ignored, IGNORED, pixels > 0).astype(np.uint8)
        wrong = pixels[~ignored & ((pixels < 0) | (pixels >= self.classes))]
        if wrong.size:
            raise JaxstyleError(
                f"{name} holds the value {wrong[0]}, but {named('data.mask_classes')} names {self.classes} values, 0 "
                f"to {self.classes - 1}: name them all; or say what the values are by {named('data.mask_values')}, "
                f"which of them have no class by {named('data.mask_ignore')}, or that all above 0 are objects by "
                f"{named('data.mask_objects')}=True"
            )
        return np.where(ignored, IGNORED, pixels).astype(np.uint8)

    def nearest(self, pixels: np.ndarray, values: np.ndarray, name: str) -> np.ndarray:
        """Converts pixels by the named value that lies within the tolerance; see `decode`."""
        numbers = np.full(pixels.shape[:2], -1, np.int16)
        deep = pixels.astype(np.int32)
        for number, value in itertools.chain(enumerate(values), ((IGNORED, value) for value in self.ignored)):
            near = np.abs(deep - value) <= self.tolerance
            numbers[near.all(-1) if self.colored else near] = number
        rows, columns = np.nonzero(numbers < 0)
        if rows.size:
            value = format_value(pixels[rows[0], columns[0]])
            raise JaxstyleError(
                f"{name} holds {value} in row {rows[0]}, column {columns[0]}, which is none of the values that "
                f"{named('data.mask_values')} and {named('data.mask_ignore')} name, with "
                f"{named('data.mask_tolerance')}={self.tolerance}; so it is with {rows.size} of its pixels"
            )
        return numbers.astype(np.uint8)


def check_counts(data: DataConfig) -> None:
    """Raises `JaxstyleError` where there are too few or too many classes, or values of classes."""
    count, values, most = (
        len(data.mask_classes),
        len(data.mask_values),
        IGNORED + (not data.mask_ignore and data.fit != "pad"),
    )
    if not 2 <= count <= most:
        raise JaxstyleError(
            f"{named('data.mask_classes')} has {count} names; masks need 2 to {most}, that of the value 0 first, such "
            "as ('background','nucleus')"
        )
    if data.mask_objects and (count != 2 or values):
        raise JaxstyleError(
            f"{named('data.mask_classes')} has {count} names and {named('data.mask_values')} {values} values; masks "
            f"that number objects ({named('data.mask_objects')}) have 2, of background and object, and none"
        )
    if values not in (0, count):
        raise JaxstyleError(
            f"{named('data.mask_values')} has {values} values for {count} names in {named('data.mask_classes')}; give "
            "one for each"
        )


def parse_values(values: tuple[int | str, ...]) -> np.ndarray:
    """Parses values: numbers as `[K]`, colours `#rrggbb` as `[K, 3]`, int32.

    Raises:
      JaxstyleError: One is neither, or there are both.
    """
    texts = [str(value) for value in values]
    if all(text.isdecimal() and len(text) < 6 for text in texts):
        return np.array([int(text) for text in texts], np.int32)
    for text in texts:
        if not COLOR.fullmatch(text):
            raise JaxstyleError(
                f"{text!r} in {named('data.mask_values')} or {named('data.mask_ignore')} is no value: write numbers "
                "from 0 to 99999, or colours such as '#ff0000', the same for all"
            )
    return np.array([list(bytes.fromhex(text[1:])) for text in texts], np.int32)


def check_distances(table: np.ndarray, data: DataConfig) -> None:
    """Raises `JaxstyleError` where a pixel could be near two values, or where there are no values to be near."""
    if not data.mask_values and (table.ndim == 2 or data.mask_tolerance):
        ignore, tolerance, values = (named(f"data.mask_{name}") for name in ("ignore", "tolerance", "values"))
        raise JaxstyleError(f"colours in {ignore}, and {tolerance}, need values in {values}")
    if data.mask_tolerance < 0:
        raise JaxstyleError(f"{named('data.mask_tolerance')} is {data.mask_tolerance}; it must be at least 0")
    for one, other in itertools.combinations(table if data.mask_values else (), 2):
        if (gap := int(np.abs(one - other).max())) <= 2 * data.mask_tolerance:
            raise JaxstyleError(
                f"the values {format_value(one)} and {format_value(other)} of {named('data.mask_values')} and "
                f"{named('data.mask_ignore')} are {gap} apart; with {named('data.mask_tolerance')}="
                f"{data.mask_tolerance} it must be more than {2 * data.mask_tolerance}"
            )


def check_objects(values: np.ndarray, name: str) -> None:
    """Raises `JaxstyleError` where 8 bits hold 255 beside other values: white with smooth edges, or a value to ignore.

    Counted as objects, the grey pixels around white ones would make every object grow.
    """
    others = np.unique(values[(values > 0) & (values < IGNORED)])
    if values.dtype == np.uint8 and others.size and np.any(values == IGNORED):
        raise JaxstyleError(
            f"{name} holds 255 and {others.size} other values above 0, such as {others[-1]}, which hardly number "
            f"objects: if it is white with smooth edges, {name_values()} in place of {named('data.mask_objects')}; if "
            f'255 marks pixels without a class, set {named("data.mask_ignore")}="(255,)"; else save the numbers in 16 '
            "bits"
        )


def name_values() -> str:
    """Advises to name the values in masks, within a sentence."""
    return f'name the values, such as {named("data.mask_values")}="(0,255)" {named("data.mask_tolerance")}=127,'


def format_value(value: Any) -> str:
    """Writes a value as a recipe names it."""
    return "#" + bytes(np.asarray(value, np.uint8)).hex() if np.ndim(value) else str(int(value))
