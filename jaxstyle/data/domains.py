"""Two datasets side by side, the domains between which pictures are translated."""

from __future__ import annotations

import dataclasses

from jaxstyle.data.dataset import Dataset, Example, plural
from jaxstyle.errors import JaxstyleError

SECOND = "_b"
"""Ending of the names of the second domain's fields: `image_b` beside `image`."""


def joined(first: Dataset, second: Dataset, *, paired: bool) -> Dataset:
    """Puts the examples of two domains side by side.

    Args:
      first: Its examples have `image`.
      second: Likewise; its fields are called `image_b` and so on.
      paired: Whether picture i of the second is the translation of picture i of the first; of folders, the picture of
        the same name.

    Returns:
      Examples with the fields of both, by index, as many as the shorter one has. Where they are not paired, `sources`
      are the two of their own.

    Raises:
      JaxstyleError: They are paired, and a picture has no partner.
    """
    second = in_the_order_of(first, second) if paired else second
    count = min(first.count, second.count)

    def read_second(index: int) -> Example:
        return {name + SECOND: value for name, value in second.read(index).items()}

    renamed = dataclasses.replace(second, read=read_second)
    texts: tuple[str, ...] = ()
    if first.count != second.count:
        texts = (f"side by side only the first {count} of each are used",)
    return Dataset(
        count,
        lambda index: {**first.read(index), **read_second(index)},
        first.classes,
        title=f"{first.title} and {second.title}",
        left_out=texts,
        domains=(first, renamed),
        paired=paired,
    )


def in_the_order_of(first: Dataset, second: Dataset) -> Dataset:
    """Returns the second dataset with the partner of each of the first's examples at the same index.

    Raises:
      JaxstyleError: An example has no partner.
    """
    if not (first.files and second.files):
        if first.count != second.count:
            raise JaxstyleError(
                f"the domains are paired, but {first.title} has {plural(first.count, 'example')} and {second.title} "
                f"has {second.count}"
            )
        return second
    places = {(file.group, file.name): index for index, file in enumerate(second.files)}
    wanted = [(file.group, file.name) for file in first.files]
    for one, known, other in ((wanted, places, second), (list(places), set(wanted), first)):
        if lonely := [name for name in one if name not in known]:
            name = "/".join(filter(None, lonely[0]))
            raise JaxstyleError(f"the domains are paired, but {other.title} has no picture {name!r}: add or remove it")
    return second.take([places[name] for name in wanted])
