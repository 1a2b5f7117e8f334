"""The studio's door: every request carries the session's token in its path, and comes from the studio's own page.

Other pages in the same browser can send requests to this machine, and a name that an attacker owns can be made to point
to it (DNS rebinding). So the token is part of every address, `Host` must be a name of this machine, and `Origin`, where
the browser sends one, the page's own. Nothing here sets a cookie.
"""

from __future__ import annotations

import ipaddress
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_name(header: str) -> str:
    """The host of a `Host` header or of an origin's rest, without its port and brackets."""
    name, colon, port = header.rpartition(":")
    return (name if colon and port.isdigit() else header).strip("[]").lower()


class Guard:
    """An ASGI application that lets only the studio's own page through to another.

    Args:
      app: The application behind.
      token: Without which nothing is told.
      host: On which the studio listens: on loopback only names of loopback are accepted; else every address that is a
        number, and this name, as a rebound name is neither.
    """

    def __init__(self, app: ASGIApp, token: str, host: str):
        self.app, self.prefix, self.host = app, f"/{token}", host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self.refusal(Headers(scope=scope), scope["path"])
        app = refusal or self.app
        return await app(scope if refusal else {**scope, "root_path": self.prefix}, receive, guarded)

    def refusal(self, headers: Headers, path: str) -> Response | None:
        """The answer to a request that is refused; None where it is let through."""
        host = headers.get("host", "")
        if not self.knows(host_name(host)):
            return PlainTextResponse("This address is none of the studio's.", 421)
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return PlainTextResponse("Another page must not use the studio.", 403)
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return PlainTextResponse("Another page must not use the studio.", 403)
        first = "/" + path.split("/", 2)[1] if path.startswith("/") else ""
        if not secrets.compare_digest(first.encode(), self.prefix.encode()):
            return PlainTextResponse("Open the address that `jaxstyle studio` printed, whole.", 403)
        return RedirectResponse(f"{self.prefix}/") if path == self.prefix else None

    def knows(self, name: str) -> bool:
        """Whether a request may call this machine so."""
        if is_loopback(name) or is_loopback(self.host):
            return is_loopback(name)
        try:
            return bool(ipaddress.ip_address(name))
        except ValueError:
            return name == self.host.lower()
