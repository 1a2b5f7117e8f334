"""Text files that are there whole or not at all."""

from __future__ import annotations

from typing import Any

from jaxstyle.runtime.buckets import in_bucket


def write_text(path: Any, text: str) -> None:
    """Writes a text file under a temporary name, then renames it; a bucket's files appear whole by themselves.

    Args:
      path: A `pathlib.Path` or `epath.Path`, in a folder that exists.
      text: The new contents; a kill at any moment leaves these or the old ones.
    """
    if in_bucket(path):
        path.write_text(text)
        return
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    temporary.replace(path)
