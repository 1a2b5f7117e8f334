"""Splits of a folder: their names, slices of them, and the pictures that are held out.

Pictures are chosen by a hash of their names, so that adding or deleting some moves no other from training to testing.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from jaxstyle.data.config import HELD_OUT
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.media.paths import is_hidden
from jaxstyle.runtime.settings import named

T = TypeVar("T")
ALIASES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
}
"""Names of splits and of their folders -> `train`, `test` or `validation`."""
SPLIT = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<first>-?\d+%?)?:(?P<last>-?\d+%?)?\])?")


class Split(NamedTuple):
    """A split as a recipe names it, parsed.

    Attributes:
      name: `train`, `test` or `validation`.
      first: Beginning of the slice, as written: "", "10" or "10%".
      last: End of the slice, likewise.
    """

    name: str
    first: str = ""
    last: str = ""


def parse(text: str) -> Split:
    """Parses the name of a folder's split, such as `train`, `val` or `train[:50%]`.

    Raises:
      JaxstyleError: There is no such split, or the slice is none.
    """
    found = SPLIT.fullmatch(text.strip())
    name = found["name"].strip().lower() if found else text.partition("[")[0]
    if name not in ALIASES:
        raise JaxstyleError(f"a folder has no split {text!r}; {did_you_mean(name, ALIASES)}")
    bounds = [found[end] or "" for end in ("first", "last")] if found else []
    if not found or len({bound.endswith("%") for bound in bounds if bound}) > 1:
        raise JaxstyleError(f"{text!r} is no slice of a split; write for example '{name}[:50%]' or '{name}[100:200]'")
    return Split(ALIASES[name], *bounds)


def position(name: str, purpose: str) -> float:
    """Hashes a name to a place in [0, 1); for another purpose the place is independent."""
    digest = hashlib.sha256(f"{purpose}:{name}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def held_out(names: Sequence[str], share: float) -> set[int]:
    """Chooses the pictures of a class, or of a folder without classes, that are held out for evaluation.

    A picture is held out where the hash of its name is below the share, whatever other pictures there are. Of two and
    more pictures at least one is held out and at least one is not.

    Args:
      names: Names of the pictures, without the folders that may move.
      share: About the share of them that is held out, between 0 and 1.

    Returns:
      Indices into `names`.
    """
    places = [position(name, "held out") for name in names]
    order = sorted(range(len(names)), key=lambda index: (places[index], names[index]))
    count = sum(place < share for place in places)
    return set(order[: min(max(count, 1), len(names) - 1)]) if len(names) > 1 else set()


def take_slice(names: Sequence[str], split: Split) -> list[int]:
    """Chooses the pictures in a slice, which are spread over all of a folder: their order is that of a hash.

    Bounds in per cent are bounds of the hash. A slice then has about that share of the pictures, and keeps its pictures
    when others are added or deleted, as `held_out` does. Other bounds count pictures.

    Args:
      names: Names of the pictures of the whole split.
      split: The slice.

    Returns:
      Indices into `names`, rising.
    """
    places = [position(name, "slice") for name in names]
    if "%" in split.first + split.last:
        first, last = (bound(text, default, 100) / 100 for text, default in ((split.first, 0), (split.last, 100)))
        return [index for index, place in enumerate(places) if first <= place < last]
    order = sorted(range(len(names)), key=lambda index: (places[index], names[index], index))
    count = len(names)
    return sorted(order[bound(split.first, 0, count) : bound(split.last, count, count)])


def bound(text: str, default: int, whole: int) -> int:
    """Evaluates a bound of a slice; a negative one counts from the end."""
    number = int(text.rstrip("%") or default)
    return min(max(number + whole if text.startswith("-") else number, 0), whole)


def split_folders(root: pathlib.Path) -> dict[str, pathlib.Path]:
    """Finds the folders that are splits: where there is a `train`, or where all folders have names of splits.

    Raises:
      JaxstyleError: Two folders are of one split, such as `val` and `valid`; the folder cannot be listed.
    """
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir() and not is_hidden(path))
    except OSError as error:
        raise JaxstyleError(f"the folder {str(root)!r} cannot be listed: {error.strerror}") from error
    named = [path for path in folders if path.name.lower() in ALIASES]
    if not any(path.name.lower() == "train" for path in named) and len(named) < len(folders):
        return {}  # classes, of which one happens to be called "test"
    found: dict[str, pathlib.Path] = {}
    for path in named:
        name = ALIASES[path.name.lower()]
        if name in found:
            raise JaxstyleError(
                f"{found[name].name}/ and {path.name}/ of {str(root)!r} are one split; put them together"
            )
        found[name] = path
    return found


def find_split(root: pathlib.Path, name: str, share: float) -> tuple[pathlib.Path, bool]:
    """Finds the folder in which the pictures of a split lie, and whether a part of them is held out; see `choose`."""
    folders = split_folders(root)
    return choose(folders, root, name, share) if folders else (root, True)


def choose(splits: Mapping[str, T], root: pathlib.Path, name: str, share: float) -> tuple[T, bool]:
    """Chooses the part of what lies in a folder that is a split, and tells whether some of that is held out.

    Args:
      splits: Folders, or other parts, by `train`, `test` and `validation`.
      root: The folder.
      name: The split that is wanted.
      share: The setting `data.held_out`.

    Raises:
      JaxstyleError: There is no part for that split, or a share is set where one for evaluation is there.
    """
    if set(splits) == {"train"}:
        return splits["train"], True
    folders = {key: f"{split.name}/" for key, split in splits.items() if isinstance(split, pathlib.Path)}
    have = ", ".join(folders.get(key, repr(key)) for key in splits)
    if share != HELD_OUT:
        raise JaxstyleError(f"{named('data.held_out')} is set, but {str(root)!r} has {have} already: leave it out")
    own = splits.get(name) or (splits.get("validation") if name == "test" else None)
    if own is None:
        raise JaxstyleError(
            f"there is no {'folder' if folders else 'picture'} for {name!r} in {str(root)!r}, which has {have}"
        )
    return own, False
