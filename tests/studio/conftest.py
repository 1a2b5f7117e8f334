"""The studio served in this process, and a client without a browser's manners."""

import contextlib
import http.client
import json
import threading
import time
import types

import pytest
import uvicorn

from jaxstyle.studio.app import Studio, application
from jaxstyle.studio.server import listening

TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """A studio under way: `ask(method, path, body, **headers) -> (status, headers, body)`, `port` and `studio`."""
    studio = Studio(tmp_path_factory.mktemp("studio"))
    listener = listening("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(application(studio, TOKEN, "127.0.0.1"), log_level="warning"))
    server.config.timeout_graceful_shutdown = 30
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    until(lambda: server.started)

    def ask(method, path, body=None, token=TOKEN, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(connection):
            connection.request(method, f"/{token}{path}" if token else path, body, named)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    yield types.SimpleNamespace(ask=ask, port=port, studio=studio)
    server.should_exit = True
    thread.join()
    studio.runs.close()


def until(done, seconds=60):
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def sentence(answer):
    """The studio's complaint in an answer."""
    return json.loads(answer[2])["error"]
