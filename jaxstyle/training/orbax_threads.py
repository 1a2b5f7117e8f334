"""Orbax's background threads: what fails in them is raised to the caller, and told there once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

try:
    from orbax.checkpoint._src import asyncio_utils
except ImportError:  # of another version, which may print more than is needed
    asyncio_utils = None

T = TypeVar("T")

REPEATED = (
    "_SignalingThread.run() raised an exception",
    "Handler Commit operations or the Commit callback",
    "Checkpointer failed: one or more items",
    "[wait_until_finished] Save Finalize thread",
    "Failed to write metadata=",
    "Failed to update metadata=",
)
"""Parts of what orbax logs, most with a traceback, of an error that it raises to whoever waits for the thread."""


def run_to_the_end(coro: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine in a loop of its own, which is closed only when nothing is under way in it any more.

    Of many reads or writes one may fail; orbax then closes the loop, into which tensorstore reports all others. What
    fails after the first is of the same cause; asyncio would log it, whenever it is freed.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)
    try:
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(coro)
        finally:
            while pending := asyncio.all_tasks(loop):
                loop.run_until_complete(asyncio.wait(pending))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def mend() -> None:
    """Makes orbax run its coroutines to the end, and not log what it raises."""
    if hasattr(asyncio_utils, "_run_sync_via_new_loop"):
        asyncio_utils._run_sync_via_new_loop = run_to_the_end
    logging.getLogger("absl").addFilter(lambda record: not any(part in str(record.msg) for part in REPEATED))
