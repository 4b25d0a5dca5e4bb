"""Programs flash through pyOCD, in a child process that is killed when it does not end.

A debug probe that hangs blocks its caller in the USB driver for ever, so pyOCD runs in
:mod:`harness.devices.pyocd_child`. What it does and where it stands comes back in lines of JSON;
silence, or taking too long, ends it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from harness.board.schema import Board
from harness.devices.pipe import Child, running
from harness.errors import DeviceBusyError, DeviceError, DeviceNotFoundError, NoAnswerError
from harness.lab.schema import Place, Probe
from harness.toolchain.firmware import Firmware

SILENCE_S = 45.0
"""Between two reports; a sector of an STM32 takes seconds to erase (ST DS10916, flash memory)."""

LONGEST_S = 300.0

_ERRORS: dict[str, type[DeviceError]] = {
    error.__name__: error
    for error in (DeviceError, DeviceNotFoundError, DeviceBusyError, NoAnswerError)
}


@dataclass(frozen=True, slots=True)
class PyOcdFlasher:
    """pyOCD, with at most ``silence_s`` between reports and ``longest_s`` for everything."""

    silence_s: float = SILENCE_S
    longest_s: float = LONGEST_S
    name: str = "pyocd"

    def program(self, firmware: Firmware, board: Board, place: Place) -> None:
        """Write the image, read it back, compare, and reset into it.

        Raises:
            DeviceNotFoundError: the probe is not there, or pyOCD or its pack is missing.
            NoAnswerError: the probe does not answer in time.
            DeviceError: the chip is not the board's, is locked, or does not take the image.
        """
        self._run(board, place, str(firmware.elf))

    def reset(self, board: Board, place: Place) -> None:
        """Start what is in flash from the beginning.

        Raises:
            DeviceError: as :meth:`program`.
        """
        self._run(board, place, None)

    def _run(self, board: Board, place: Place, elf: str | None) -> None:
        if importlib.util.find_spec("pyocd") is None:
            raise DeviceNotFoundError(
                "pyOCD, which programs boards, is not installed",
                hint="pip install 'bench-tinyml[hardware]'",
            )
        probe = place.probe or Probe()
        job = json.dumps(job_of(board, probe, elf))
        command = [sys.executable, "-m", "harness.devices.pyocd_child"]
        with running("pyOCD", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.process.stdin is not None
            try:
                child.process.stdin.write(job.encode())
                child.process.stdin.close()
            except BrokenPipeError:
                raise DeviceError(child.obituary()) from None
            self._follow(child, probe)

    def _follow(self, child: Child, probe: Probe) -> None:
        """Read reports until the last one, which says that all is well."""
        assert child.process.stdout is not None
        pipe, pending, stage = child.process.stdout.fileno(), b"", "starting"
        ends = time.monotonic() + self.longest_s
        while True:
            left = ends - time.monotonic()
            if not select.select([pipe], [], [], max(0.0, min(self.silence_s, left)))[0]:
                raise self._late(probe, stage, is_silent=left > self.silence_s)
            data = os.read(pipe, 1 << 16)
            if not data:
                raise DeviceError(f"while {stage}: {child.obituary()}")
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                report: dict[str, Any] = json.loads(line)
                if "error" in report:
                    error = _ERRORS.get(report["error"], DeviceError)
                    raise error(report["message"], hint=report["hint"])
                if report["stage"] == "done":
                    return
                stage = report["stage"]

    def _late(self, probe: Probe, stage: str, *, is_silent: bool) -> NoAnswerError:
        who = f"probe {probe.uid}" if probe.uid else "the probe"
        if is_silent:
            return NoAnswerError(
                f"{who} did not answer for {self.silence_s:g} s while {stage}",
                hint="unplug it and plug it in again; a hub or a long cable may be the cause",
            )
        return NoAnswerError(
            f"{who} was still {stage} after {self.longest_s:g} s",
            hint="raise frequency_hz of the place's probe, or use a shorter cable",
        )


def job_of(board: Board, probe: Probe, elf: str | None) -> dict[str, Any]:
    """Return what the child is to do."""
    identity = board.mcu_id
    return {
        "board": board.name,
        "mcu": board.mcu,
        "elf": elf,
        "uid": probe.uid,
        "frequency_hz": probe.frequency_hz,
        "connect": probe.connect or board.pyocd_connect,
        "pack": str(probe.pack) if probe.pack else None,
        "target": probe.target or board.pyocd_target,
        "identity": identity.model_dump() if identity else None,
    }
