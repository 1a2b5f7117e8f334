"""TensorBoard's event file, written in the thread of the run: what cannot be written is an error of the run."""

from __future__ import annotations

import os
import socket
import time

import numpy as np
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import RecordWriter, directory_check
from tensorboardX.summary import image, scalar

FLUSH_SECONDS = 60.0


class EventFile:
    """A new event file in a folder.

    tensorboardX's own `SummaryWriter` writes in a thread that ends at the first error, and then waits for it for ever.

    Args:
      folder: Of TensorBoard; may be `gs://…`.
      step: After which the run goes on; TensorBoard hides what earlier files have of later steps.
    """

    def __init__(self, folder: str, step: int = 0):
        directory_check(folder)
        name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}"
        self.records, self.flushed = RecordWriter(os.path.join(folder, name)), time.monotonic()
        self.write(0, file_version="brain.Event:2")
        if step:
            self.write(step + 1, session_log=SessionLog(status=SessionLog.START))

    def scalar(self, name: str, value: float, step: int) -> None:
        """Adds a number at a step."""
        self.write(step, summary=scalar(name, value))

    def image(self, name: str, picture: np.ndarray, step: int) -> None:
        """Adds a picture `[H, W, 3]` in [0, 1] at a step."""
        self.write(step, summary=image(name, picture, dataformats="HWC"))

    def write(self, step: int, **fields: object) -> None:
        """Adds an event."""
        self.records.write(Event(wall_time=time.time(), step=step, **fields).SerializeToString())
        if time.monotonic() > self.flushed + FLUSH_SECONDS:
            self.records.flush()
            self.flushed = time.monotonic()

    def close(self) -> None:
        """Leaves everything written."""
        try:
            self.records.flush()
        finally:
            self.records.close()
