"""The studio served on this machine, with the browser opened on it."""

from __future__ import annotations

import contextlib
import pathlib
import re
import secrets
import signal
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Iterator

import uvicorn

from jaxstyle.errors import JaxstyleError
from jaxstyle.jobs.files import make_folder
from jaxstyle.studio.app import Studio, application
from jaxstyle.studio.guard import is_loopback

TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")


class Server(uvicorn.Server):
    """A server that tells, and shows, its page when it is ready, and ends its streams when it closes."""

    def __init__(self, config: uvicorn.Config, studio: Studio, address: str, browser: bool):
        super().__init__(config)
        self.studio, self.address, self.browser = studio, address, browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, then tells the page's address."""
        await super().startup(sockets)
        print(f"The studio is open at {self.address} (Ctrl-C closes it)", flush=True)
        if self.browser:  # some browsers are programs in the terminal, which would be waited for
            threading.Thread(target=webbrowser.open, args=(self.address,), daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes, though pages are open."""
        self.studio.closing = True
        await super().shutdown(sockets)


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    token: str | None = None,
    browser: bool = True,
    output: str | None = None,
) -> None:
    """Serves the studio until Ctrl-C.

    Args:
      host: Address to listen on; one that other machines reach needs a `token`.
      port: 0 takes a free one.
      token: Part of the page's address, 16 letters or more; None draws one.
      browser: Whether to open the page.
      output: Folder in which results are kept; None keeps none beyond the session.

    Raises:
      JaxstyleError: A host, port, token or folder that cannot be.
    """
    if token is None and not is_loopback(host):
        raise JaxstyleError(
            f"on --host {host} other machines reach the studio: choose a secret by --token, 16 letters or more"
        )
    if token is not None and not TOKEN.fullmatch(token):
        raise JaxstyleError(
            "--token must have 16 to 128 letters, digits, '-' and '_', such as a password generator makes"
        )
    token = token or secrets.token_urlsafe(24)
    if output is not None:
        make_folder(output)
    with listening(host, port) as listener, tempfile.TemporaryDirectory(prefix="jaxstyle-studio-") as folder:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}/{token}/"
        studio = Studio(pathlib.Path(folder), pathlib.Path(output) if output else None)
        config = uvicorn.Config(
            application(studio, token, host),
            log_level="warning",  # the log of requests would tell the token
            server_header=False,
            timeout_graceful_shutdown=30,
        )
        try:
            with contextlib.suppress(KeyboardInterrupt), ending_by_sigterm():
                Server(config, studio, address, browser).run(sockets=[listener])
        finally:
            studio.runs.close()


@contextlib.contextmanager
def ending_by_sigterm() -> Iterator[None]:
    """SIGTERM, which uvicorn raises once more when it has closed, is a `KeyboardInterrupt` inside."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; raises `JaxstyleError` where there can be none."""
    if not 0 <= port < 2**16:
        raise JaxstyleError(f"--port is {port}; it must be from 0, a free one, to {2**16 - 1}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = getattr(error, "strerror", None) or error
        raise JaxstyleError(
            f"cannot listen on {host}, port {port} ({reason}); name others by --host and --port"
        ) from None
