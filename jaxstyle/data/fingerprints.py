"""Fingerprints of datasets: enough to tell later whether the same classes and pictures are still there."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Self

from jaxstyle.data.dataset import Dataset, PictureFile, plural


@dataclasses.dataclass(frozen=True)
class Group:
    """The examples of a class, or all where there are no classes.

    Attributes:
      count: Number of examples.
      size: Bytes in the files of the pictures.
      mask_size: Bytes in the files of their masks.
      digest: Hash of the pictures' names in their class; for a TFDS dataset of its name, version and split.
    """

    count: int
    size: int
    mask_size: int
    digest: str


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """Summary of one split. It depends neither on where the folder lies nor on how the classes are called.

    Attributes:
      classes: Names of the classes, in the order of their labels; empty where there are none.
      groups: One for every class of a folder, or a single one; none where only the names of the classes are known.
    """

    classes: tuple[str, ...]
    groups: tuple[Group, ...]

    @property
    def count(self) -> int:
        """Number of examples."""
        return sum(group.count for group in self.groups)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Restores what `dataclasses.asdict` made, after JSON has made lists of its tuples.

        Raises:
          KeyError, TypeError: Other fields.
        """
        return cls(tuple(saved["classes"]), tuple(Group(**group) for group in saved["groups"]))

    def by_class(self) -> dict[str, Group]:
        """Returns the groups by the names of their classes; a single one by ""."""
        own = len(self.groups) == len(self.classes)
        return dict(zip(self.classes if own else ("",), self.groups, strict=False))


def fingerprint(dataset: Dataset) -> Fingerprint:
    """Takes the fingerprint of a dataset; of a folder's pictures it looks up the sizes in bytes."""
    if not dataset.files:
        return Fingerprint(dataset.classes, (Group(dataset.count, 0, 0, digest([dataset.title])),))
    labels = range(len(dataset.classes)) if dataset.classes else [-1]
    groups: dict[int, list[PictureFile]] = {label: [] for label in labels}
    for file in dataset.files:
        groups[file.label].append(file)
    return Fingerprint(dataset.classes, tuple(summarise(group, bool(dataset.classes)) for group in groups.values()))


def fingerprints(split: str, dataset: Dataset) -> dict[str, Fingerprint]:
    """Takes the fingerprint of a split, or, where two domains are side by side, of each of them, by name."""
    domains = dataset.domains or (dataset,)
    return {split + " of the second domain" * number: fingerprint(one) for number, one in enumerate(domains)}


def summarise(files: Sequence[PictureFile], in_class: bool) -> Group:
    """Sums up the pictures of a class, or of a folder without classes."""
    size = sum(map(size_of, {file.path for file in files}))
    mask_size = sum(size_of(file.mask) for file in files if file.mask)
    names = [file.name if in_class else f"{file.group}/{file.name}" for file in files]
    return Group(len(files), size, mask_size, digest(names))


def size_of(path: pathlib.Path) -> int:
    """Returns the size of a file in bytes; 0 where it cannot be told, as reading the file will tell why."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def digest(names: Sequence[str]) -> str:
    """Hashes names, whatever their order, to 16 hexadecimal digits."""
    text = "\0".join(sorted(names)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]


def differences(before: Fingerprint, now: Fingerprint) -> list[str]:
    """Says in words what has changed from one fingerprint of a split to another; nothing where they are equal.

    Clauses are such as "the class 'cats' is now called 'felines'" or "'dogs' has 3 pictures fewer (12, it had 15)".
    """
    old, new = before.by_class(), now.by_class()
    gone = [name for name in before.classes if name not in now.classes]
    added = [name for name in now.classes if name not in before.classes]
    clauses = []
    for name in gone:
        heir = next((other for other in added if name in old and old[name] == new.get(other)), None)
        if heir:
            added.remove(heir)
        clauses.append(
            f"the class {name!r} is " + (f"now called {heir!r}" if heir else f"gone{format_count(old.get(name))}")
        )
    clauses += [f"the class {name!r} is new{format_count(new.get(name))}" for name in added]
    if not clauses and before.classes != now.classes:
        clauses.append("the classes come in another order")
    common = [name for name in old if name in new]
    return clauses + [clause for name in common for clause in changes(name, old[name], new[name])]


def format_count(group: Group | None) -> str:
    """Says in brackets how many pictures a class has, where that is known."""
    return f" ({plural(group.count, 'picture')})" if group else ""


def changes(name: str, old: Group, new: Group) -> list[str]:
    """Says what has changed between two fingerprints of one class, or, where the name is "", of everything."""
    what = repr(name) if name else "the split"
    if old.count != new.count:
        more = f"{plural(abs(new.count - old.count), 'picture')} {'more' if new.count > old.count else 'fewer'}"
        return [f"{what} has {more} ({new.count}, it had {old.count})"]
    if old.digest != new.digest:
        return [f"{what} has as many examples as before, but others, or under other names"]
    sizes = {"pictures": (old.size, new.size), "masks": (old.mask_size, new.mask_size)}
    return [
        f"the {kind} of {what} have other contents ({size} bytes, they had {past})"
        for kind, (past, size) in sizes.items()
        if size != past
    ]
