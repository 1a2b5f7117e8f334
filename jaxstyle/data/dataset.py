"""A dataset as the rest of the project sees it: examples by index, from whatever they are read."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from jaxstyle.media.image_reading import PictureLike

Example = dict[str, np.ndarray]
LISTED = 12  # classes, whose numbers of pictures a description lists


@dataclasses.dataclass(frozen=True)
class PictureFile:
    """A picture of a folder.

    Attributes:
      path: File of the picture.
      name: Name of the picture, relative to `group` and without the suffix.
      group: Sub-folder in which the picture lies, the name of its class where classes matter; "" for none.
      label: Number of its class; -1 where there are no classes.
      mask: File of its mask; None where there are no masks.
      source: Returns the picture where `path` holds several; None where it is the picture.
    """

    path: pathlib.Path
    name: str
    group: str = ""
    label: int = -1
    mask: pathlib.Path | None = None
    source: Callable[[], PictureLike] | None = None

    @property
    def title(self) -> str:
        """The file, and which of its pictures."""
        return f"{self.path}: {self.name}" if self.source else str(self.path)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Examples by index, in any order.

    Attributes:
      count: Number of examples.
      read: Index -> dict of arrays, each example with the same names, shapes and dtypes.
      classes: Names of the labels' values; empty where there are no labels.
      files: Pictures, by index; empty where the examples are not files of a folder.
      title: Name of the dataset and its split, for sentences.
      left_out: Clauses on the files that were found and left out.
      domains: The two domains that are side by side in an example, whose fields differ in name; empty where it is one.
      paired: Whether the second domain's part of an example is the translation of the first's.
      read_labels: Returns the labels of all examples without decoding their pictures; None where `files` have them, or
        the examples alone.
      noun: Of what `files` are, for sentences.
      read_as: (index, label) -> the example as it is drawn with another label; None where examples are not drawn so.
    """

    count: int
    read: Callable[[int], Example]
    classes: tuple[str, ...] = ()
    files: tuple[PictureFile, ...] = ()
    title: str = ""
    left_out: tuple[str, ...] = ()
    domains: tuple[Dataset, ...] = ()
    paired: bool = False
    read_labels: Callable[[], Sequence[int]] | None = None
    read_as: Callable[[int, int], Example] | None = None
    noun: str = "picture"

    @property
    def sources(self) -> tuple[Dataset, ...]:
        """The datasets from which training draws, each in an order of its own: two domains that are not paired."""
        return self.domains if self.domains and not self.paired else (self,)

    def labels(self) -> Sequence[int]:
        """Reads the labels of all examples."""
        if self.files:
            return [file.label for file in self.files]
        if self.read_labels:
            return self.read_labels()
        return [int(self.read(index)["label"]) for index in range(self.count)]

    def class_counts(self) -> tuple[int, ...]:
        """Counts the examples of each class."""
        counts = collections.Counter(self.labels())
        return tuple(counts[label] for label in range(len(self.classes)))

    def take(self, indices: Sequence[int], *left_out: str) -> Dataset:
        """Returns the dataset of some of the examples, and adds clauses on why the others are left out."""
        chosen = tuple(indices)
        files = tuple(self.files[index] for index in chosen) if self.files else ()
        read, texts = (lambda index: self.read(chosen[index])), (*self.left_out, *left_out)
        return dataclasses.replace(
            self, count=len(chosen), read=read, files=files, left_out=texts, read_labels=None, read_as=None
        )

    def describe(self) -> str:
        """Says in a sentence how many examples of which classes there are, and which files were left out."""
        if self.domains:
            both = "; ".join(domain.describe() for domain in self.domains)
            return f"{both}{'; paired' * self.paired}{left_out_text(self.left_out)}"
        found = f"{self.title}: {plural(self.count, self.noun if self.files else 'example')}"
        if self.classes:
            found += f" of {len(self.classes)} class{'es' * (len(self.classes) != 1)}"
        if self.classes and self.files:
            each = [f"{name} {count}" for name, count in zip(self.classes[:LISTED], self.class_counts(), strict=False)]
            found += f" ({', '.join(each)}{', …' if len(self.classes) > LISTED else ''})"
        return found + left_out_text(self.left_out)


def left_out_text(clauses: Sequence[str]) -> str:
    """Writes the end of a sentence on what was found: the clauses on what was left out, where there are some."""
    return f"; left out: {', '.join(clauses)}" if clauses else ""


def plural(count: int, noun: str) -> str:
    """Writes a number of things."""
    return f"{count} {noun}{'s' * (count != 1)}"
