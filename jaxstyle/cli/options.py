"""Set-up that several commands share."""

from __future__ import annotations

import os
import sys

import jax

from jaxstyle.runtime.caching import cache_folder, remove_torn_programs

DIRECTION = "domain to translate to, of the workdir of a translation"


def keep_compiled() -> None:
    """Keeps compiled programs in the cache folder, so that the next run of the same size starts at once.

    Where there can be no such folder, a line on stderr says so, and nothing is kept.
    """
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    folder = cache_folder("compiled")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{folder} cannot be a folder ({error.strerror}); JAXSTYLE_CACHE names another"
        print(f"jaxstyle: compiled programs are not kept: {reason}", file=sys.stderr)
        return
    remove_torn_programs(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
