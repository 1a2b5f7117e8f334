"""`jaxstyle studio`: make pictures in the browser, with live preview."""

from __future__ import annotations

import argparse
import os
import sys
import threading

from jaxstyle.cli.options import keep_compiled
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.settings import spelled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the page is served, and where results are kept."""
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port of the page (default: a free one)")
    host = "address to listen on (default: 127.0.0.1, this machine alone); another needs --token"
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help=host)
    token = "secret part of the page's address, 16 letters or more (default: drawn at random)"
    parser.add_argument("--token", metavar="TEXT", help=token)
    parser.add_argument("--no-browser", action="store_true", help="print the address without opening a browser")
    keep = "folder in which the pictures are kept (default: they are gone when the studio ends)"
    parser.add_argument("-o", "--output", metavar="DIR", help=keep)


def run(args: argparse.Namespace) -> int:
    """Serves the page until Ctrl-C; 0 then."""
    try:
        from jaxstyle.studio.server import serve
    except ImportError as error:
        if error.name not in ("starlette", "uvicorn", "anyio"):
            raise
        raise JaxstyleError(f"the studio needs {error.name}: pip install 'jaxstyle[studio]'") from None
    keep_compiled()
    with spelled("{}"):
        serve(args.host, args.port, token=args.token, browser=not args.no_browser, output=args.output)
    if any(thread.daemon for thread in threading.enumerate()):  # compiles or draws: Python's own exit would crash in it
        sys.stdout.flush()
        os._exit(0)
    return 0
