"""The platforms that JAX may use, told in a sentence where there is none of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import jax

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime import onednn

VARIABLE = "JAX_PLATFORMS"


@contextlib.contextmanager
def existing_platform() -> Iterator[None]:
    """Turns the error of JAX, where it finds none of the platforms that the environment names, into a sentence.

    Raises:
      JaxstyleError: There is no such platform, or the environment asks for oneDNN by a value that it has not.
    """
    onednn.wanted()
    try:
        yield
    except (RuntimeError, AssertionError) as error:
        if not os.environ.get(VARIABLE) or works():
            raise
        wanted = os.environ[VARIABLE]
        jax.config.update("jax_platforms", None)
        found = ", ".join(sorted({device.platform for device in jax.devices()}))
        raise JaxstyleError(
            f"{VARIABLE} is {wanted!r}, which this machine lacks, or the installed JAX; there is {found}: set it to "
            "that, or unset it"
        ) from error


def works() -> bool:
    """Whether JAX finds devices."""
    try:
        jax.devices()
    except (RuntimeError, AssertionError):
        return False
    return True
