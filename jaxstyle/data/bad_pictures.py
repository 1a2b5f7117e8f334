"""Pictures that cannot be read: finding all of them at once, and leaving them out on request."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
from collections.abc import Callable, Sequence

from jaxstyle.data.dataset import Dataset, Example
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.settings import named

TOLD = 10  # pictures, at most, whose errors a sentence lists
WORKERS = 8


def unreadable(dataset: Dataset) -> dict[int, str]:
    """Reads every example of a dataset.

    Returns:
      Index -> error, for those that cannot be read.
    """

    def problems(first: int) -> dict[int, str]:
        found = {}
        for index in range(first, dataset.count, WORKERS):
            try:
                dataset.read(index)
            except JaxstyleError as error:
                found[index] = str(error)
        return found

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        merged = {index: error for part in pool.map(problems, range(WORKERS)) for index, error in part.items()}
    return dict(sorted(merged.items()))


def without_bad_pictures(dataset: Dataset, treatment: str) -> Dataset:
    """Deals with pictures of a folder that, or whose masks, cannot be read, by the setting `data.bad_pictures`.

    For `stop` the first bad picture raises an error that names all; for `check` bad pictures raise it now; for `skip`
    they are left out, and `JaxstyleError` is raised where there are no others.
    """
    if treatment == "stop":
        return dataclasses.replace(dataset, read=naming_all(dataset))
    problems = unreadable(dataset)
    if problems and (treatment == "check" or len(problems) == dataset.count):
        raise JaxstyleError(sentence(dataset, problems))
    if not problems:
        return dataset
    names = [repr(dataset.files[index].title) for index in problems]
    told = ", ".join(names[:TOLD]) + (", …" if len(names) > TOLD else "")
    kept = [index for index in range(dataset.count) if index not in problems]
    return dataset.take(kept, f"{len(problems)} that cannot be read ({told})")


def naming_all(dataset: Dataset) -> Callable[[int], Example]:
    """Wraps the reading of examples: the first error looks for the others, and names all."""
    lock = threading.Lock()
    told: list[str] = []

    def read(index: int) -> Example:
        try:
            return dataset.read(index)
        except JaxstyleError as error:
            with lock:  # several threads read
                if not told:
                    told.append(sentence(dataset, unreadable(dataset) or {index: str(error)}))
            raise JaxstyleError(told[0]) from error

    return read


def sentence(dataset: Dataset, problems: dict[int, str]) -> str:
    """Says which pictures of a dataset cannot be read, and why."""
    way_out = f". Mend or remove what is bad, or leave it out by {named('data.bad_pictures')}=skip"
    return unreadable_text(
        list(problems.values()), f"{dataset.count} pictures in {dataset.title}", dataset.count, way_out
    )


def unreadable_text(errors: Sequence[str], pictures: str, count: int, way_out: str) -> str:
    """Lists the sentences on pictures that cannot be read, of `count` `pictures`, in words; `way_out` ends the text.

    Where none can be read there is no way out.
    """
    told = "; ".join(errors[:TOLD]) + (f"; and {len(errors) - TOLD} more" if len(errors) > TOLD else "")
    if len(errors) == count:
        return told if count == 1 else f"none of the {pictures} can be read: {told}"
    return (f"{len(errors)} of the {pictures} cannot be read: " if len(errors) > 1 else "") + told + way_out
