"""Where what can be fetched or made again is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder(part: str) -> Path:
    """The folder of one kind of file, such as `features`: in `JAXSTYLE_CACHE`, or else in the platform's cache."""
    root = os.environ.get("JAXSTYLE_CACHE")
    return (Path(root).expanduser() if root else platformdirs.user_cache_path("jaxstyle")) / part
