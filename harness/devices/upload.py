"""The upload command of the PlatformIO projects that :mod:`harness.devices.platformio_flash` makes.

``python -m harness.devices.upload JOB ELF`` programs an image through pyOCD. The place is held by
whoever started PlatformIO. An error is told in one line that begins with ``MARK``, as JSON, so that
it comes out of PlatformIO's output as what it was.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from harness.board.schema import Board, DeviceKind
from harness.board.target import target_for
from harness.devices.pyocd_flash import PyOcdFlasher
from harness.errors import BenchError
from harness.lab.schema import Place
from harness.toolchain.image_file import read_image

MARK = "bench-upload: "


@dataclass(frozen=True, slots=True)
class Job:
    """Which board is programmed, and where it is."""

    board: Board
    place: Place
    kind: DeviceKind


JOB = TypeAdapter(Job)


def main(job_file: Path, elf: Path) -> int:
    """Program an image and return the exit code."""
    job = JOB.validate_json(job_file.read_bytes())
    try:
        firmware = read_image(elf, target_for(job.board, job.kind))
        PyOcdFlasher().program(firmware, job.board, job.place)
    except BenchError as error:
        told = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
        sys.stdout.write(f"{MARK}{json.dumps(told)}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
