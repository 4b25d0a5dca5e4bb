"""Boards for tests of what talks to real ones: at the end of a serial port, in a lab file."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.devices.bad_line import BadLine, Faults
from harness.devices.fake import FakeBoard
from harness.lab.schema import Lab, Place


@contextmanager
def board(folder: Path, fake: FakeBoard, faults: Faults | None = None) -> Iterator[BadLine]:
    """Put a board at the end of the port ``usb`` of a folder."""
    read_fd, say_fd = os.pipe()
    hear_fd, write_fd = os.pipe()
    line = BadLine(folder / "usb", faults or Faults())
    line.attach(read_fd, write_fd)

    def answer() -> None:
        os.write(say_fd, fake.read(0))
        while data := os.read(hear_fd, 4096):
            fake.write(data)
            os.write(say_fd, fake.read(0))

    answering = threading.Thread(target=answer)
    with line.running():
        answering.start()
        yield line
    os.close(write_fd)
    answering.join()
    for fd in (read_fd, say_fd, hear_fd):
        os.close(fd)


def lab_file(folder: Path, **places: Place) -> Path:
    """Write a lab file with places, which may be those of an open simulated desk."""
    lab = Lab(schema_version=1, name="desk", places=places)
    path = folder / "lab.yaml"
    path.write_text(lab.model_dump_json(exclude_none=True))  # JSON is YAML
    return path
