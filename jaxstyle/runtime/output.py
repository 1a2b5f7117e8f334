"""Standard output and errors that outlast their reader, and print names that their encoding lacks."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast


class Lasting:
    """A text stream that escapes what its encoding lacks, and falls silent where nobody reads any more.

    The work goes on then: `jaxstyle apply … | head -1` stylises all pictures.

    Args:
      stream: Where the text goes.
    """

    def __init__(self, stream: TextIO):
        self.stream = stream

    def write(self, text: str) -> int:
        """Writes text at once; returns its length."""
        encoding = self.stream.encoding or "utf-8"
        try:
            self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self.stream.flush()
        except BrokenPipeError:
            self.silence()
        return len(text)

    def flush(self) -> None:
        """Nothing waits: all is written at once."""

    def silence(self) -> None:
        """Sends what is still written nowhere, and so what waits in the stream when the process ends."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def lasting_output() -> Iterator[None]:
    """Standard output and errors are `Lasting` inside."""
    out, err = cast(TextIO, Lasting(sys.stdout)), cast(TextIO, Lasting(sys.stderr))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield
