"""The studio as a web application: the page, pictures in and out, orders, and a stream of what happens."""

from __future__ import annotations

import asyncio
import json
import pathlib
import threading
import urllib.parse
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from jaxstyle._version import __version__
from jaxstyle.errors import JaxstyleError
from jaxstyle.studio import orders, tools
from jaxstyle.studio.guard import Guard
from jaxstyle.studio.library import MAX_BYTES, Library
from jaxstyle.studio.runs import Run, Runs

PAGE = pathlib.Path(__file__).parent / "page"
EVERY = 0.2
"""Seconds between two looks at what has changed."""
KEEP_ALIVE = 15.0
"""Seconds of silence after which a stream says that it is still there, and so notices a tab that was closed."""
MAX_ORDER = 64 * 2**10
"""Bytes of an order at most."""


class TooLarge(JaxstyleError):
    """More was sent than is taken."""


class Studio:
    """The answers to the page's requests.

    Args:
      folder: Of the session: `uploads/` and `results/` are in it.
      results: Folder of the results in place of `results/`.
    """

    def __init__(self, folder: pathlib.Path, results: pathlib.Path | None = None):
        self.library = Library(folder / "uploads")
        self.runs = Runs(results or folder / "results")
        self.closing = False

    def routes(self) -> list[Route | Mount]:
        """Every address below the token."""
        return [
            Route("/session", self.session),
            Route("/events", self.events),
            Route("/layers/{network}", self.layers),
            Route("/pictures", self.upload, methods=["POST"]),
            Route("/pictures/{id}", self.picture),
            Route("/recipe", self.recipe, methods=["POST"]),
            Route("/runs", self.start, methods=["POST"]),
            Route("/runs/{id}/preview", self.preview),
            Route("/runs/{id}/results/{name}", self.result),
            Route("/runs/{id}/{action:str}", self.act, methods=["POST"]),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ]

    async def session(self, request: Request) -> Response:
        """All that does not change: the tools and their dials."""
        described = [tools.described(tool) for tool in tools.TOOLS.values()]
        return JSONResponse({"version": __version__, "tools": described, "max_bytes": MAX_BYTES})

    async def layers(self, request: Request) -> Response:
        """The layers of a network."""
        return JSONResponse(await run_in_threadpool(tools.layers, request.path_params["network"]))

    async def upload(self, request: Request) -> Response:
        """Takes a picture: the body is the file, `X-Name` its name, percent-encoded."""
        name = urllib.parse.unquote(request.headers.get("x-name", ""))
        data = await body(request, MAX_BYTES)
        entry = await run_in_threadpool(self.library.add, name, data)
        return JSONResponse(entry.described(), 201)

    async def picture(self, request: Request) -> Response:
        """A picture of the library, as the page shows it; a studio that closes leaves an example half drawn."""
        id = request.path_params["id"]
        if not self.library[id].view:
            drawing = threading.Thread(target=self.library.view, args=(id,), daemon=True)
            drawing.start()
            while drawing.is_alive() and not self.closing:
                await asyncio.sleep(EVERY / 4)
        view = self.library[id].view
        return Response(view, 200 if view else 503, media_type="image/jpeg")

    async def recipe(self, request: Request) -> Response:
        """The command and the Python call of an order that is not given yet."""
        order = await self.order(request)
        return JSONResponse({"command": orders.command(order), "python": orders.python(order)})

    async def start(self, request: Request) -> Response:
        """Queues an order."""
        return JSONResponse(self.runs.add(await self.order(request)).described(), 201)

    async def order(self, request: Request) -> orders.Order:
        """The order in a request."""
        try:
            data = json.loads(await body(request, MAX_ORDER))
        except (ValueError, RecursionError) as error:
            if isinstance(error, JaxstyleError):
                raise
            raise JaxstyleError("an order is JSON") from None
        return await run_in_threadpool(orders.read_order, data, self.library)

    async def act(self, request: Request) -> Response:
        """Stops a run, goes on with it, removes it, or takes its first result for a picture to work on."""
        run = self.runs[request.path_params["id"]]
        actions: dict[str, Callable[[Run], Any]] = {
            "stop": self.runs.stop,
            "resume": self.runs.go_on,
            "remove": self.runs.remove,
        }
        action = actions.get(request.path_params["action"])
        if action is None:
            return JSONResponse({"error": "a run can be stopped, resumed or removed"}, 404)
        action(run)
        return JSONResponse(run.described())

    async def preview(self, request: Request) -> Response:
        """The picture so far of a run."""
        preview = self.runs[request.path_params["id"]].preview
        return Response(preview, 200 if preview else 404, media_type="image/jpeg")

    async def result(self, request: Request) -> Response:
        """A file that a run has made, with its settings in it; to be saved where `?save` is asked for."""
        name = request.path_params["name"]
        path = next((path for path in self.runs[request.path_params["id"]].results if path.name == name), None)
        if path is None:
            raise JaxstyleError("this run has made no such picture")
        kind = "attachment" if "save" in request.query_params else "inline"
        return FileResponse(path, media_type="image/png", filename=name, content_disposition_type=kind)

    async def events(self, request: Request) -> Response:
        """A stream of server-sent events; see `Stream`."""
        return StreamingResponse(self.stream(request), media_type="text/event-stream")

    async def stream(self, request: Request) -> AsyncIterator[str]:
        """All pictures and runs at first, then what has changed, several times a second."""
        seen: dict[str, tuple[int, int]] = {}
        pictures, silence = 0, 0.0
        self.runs.viewers += 1
        try:
            while not (self.closing or await request.is_disconnected()):
                changed, seen = self.news(seen)
                message: dict[str, Any] = {"runs": changed, "ids": list(seen)}
                if len(self.library.entries) != pictures:
                    message["pictures"] = self.library.described()
                    pictures = len(message["pictures"])
                if changed or "pictures" in message or silence > KEEP_ALIVE:
                    yield f"data: {json.dumps(message)}\n\n"
                    silence = 0.0
                silence += EVERY
                await asyncio.sleep(EVERY)
        finally:
            self.runs.viewers -= 1

    def news(self, seen: dict[str, tuple[int, int]]) -> tuple[list[dict[str, Any]], dict[str, tuple[int, int]]]:
        """The runs that have changed, and what is seen then: each run's version and the length of its curve."""
        runs = list(self.runs.runs.values())
        now = {run.id: (run.version, len(run.curve)) for run in runs}
        changed = [run for run in runs if seen.get(run.id) != now[run.id]]
        return [run.described(seen.get(run.id, (0, 0))[1]) for run in changed], now


async def body(request: Request, most: int) -> bytes:
    """The body of a request; what is longer than `most` bytes is refused as soon as that is known."""
    told = request.headers.get("content-length", "0")
    data = bytearray()
    if not (told.isdecimal() and int(told) > most):
        async for chunk in request.stream():
            data += chunk
            if len(data) > most:
                break
        else:
            return bytes(data)
    raise TooLarge(f"that is too large: at most {most / 2**20:.3g} MiB are taken")


async def tell(request: Request, error: Exception) -> Response:
    """The answer to what cannot be, a sentence; one who went away in the midst does not hear it."""
    return JSONResponse({"error": str(error)}, 413 if isinstance(error, TooLarge) else 400)


def application(studio: Studio, token: str, host: str) -> Guard:
    """The studio behind its guard."""
    app = Starlette(routes=studio.routes(), exception_handlers={JaxstyleError: tell, ClientDisconnect: tell})
    return Guard(app, token, host)
