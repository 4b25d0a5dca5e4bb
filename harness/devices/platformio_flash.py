"""Programs flash through ``pio run -t upload``: with the vendor's uploader, or with pyOCD.

A real board is programmed by PlatformIO's own platform for its chip (OpenOCD for an ST-LINK,
J-Link's Commander for a J-Link), which comes from PlatformIO's registry and stays in the user's
PlatformIO. The image for a simulated board takes the offline platform, whose upload command is
pyOCD. Either way the image that was built is uploaded as it is (target ``nobuild``).
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from harness import errors
from harness.board.schema import Board
from harness.devices.pyocd_flash import PyOcdFlasher
from harness.devices.upload import JOB, MARK, Job
from harness.errors import DeviceError, DeviceNotFoundError, NoAnswerError, ToolchainError
from harness.lab.schema import Place
from harness.toolchain.compiler import find_compiler, run
from harness.toolchain.firmware import Firmware
from harness.toolchain.pio_project import (
    Files,
    offline_environment,
    offline_files,
    vendor_environment,
)
from harness.toolchain.pio_registry import is_registry_reachable
from harness.toolchain.platformio import Said, run_pio, write_project

LONGEST_S = 900.0
"""For an upload, with what PlatformIO downloads before the first one."""

PROBE_FLAGS = {
    "ststm32": ("-c", "adapter serial {uid}"),
    "nordicnrf52": ("-SelectEmuBySN", "{uid}"),
}
"""How the uploader of a platform is told which probe (OpenOCD User's Guide, "Debug Adapter
Configuration"; SEGGER UM08001, "J-Link Commander", command line options)."""

_NO_REGISTRY = re.compile(r"HTTPClientError|InternetConnectionError|UnknownPackageError", re.I)
_FETCHING = re.compile(r"^(Platform|Tool|Library) Manager: Installing ", re.M)
_SUFFIXES = {"bin": "binary", "hex": "ihex"}


@dataclass(frozen=True, slots=True)
class PlatformioFlasher:
    """PlatformIO, with at most ``longest_s`` for everything.

    ``uploader`` is the offline platform's upload command, less the job file and the image.
    """

    longest_s: float = LONGEST_S
    uploader: tuple[str, ...] = (sys.executable, "-m", "harness.devices.upload")
    name: str = field(default="platformio", init=False)

    def program(self, firmware: Firmware, board: Board, place: Place) -> None:
        """Upload the image; the uploader verifies it and resets into it.

        Raises:
            DeviceNotFoundError: no probe is named, or PlatformIO has no platform for the board.
            NoAnswerError: PlatformIO did not end in time.
            DeviceError: PlatformIO is missing or the upload failed.
        """
        is_offline = bool(firmware.target.machine)
        with tempfile.TemporaryDirectory() as scratch:
            project = Path(scratch)
            job = JOB.dump_json(Job(board, place, firmware.target.kind)).decode()
            environment = offline_environment(board) if is_offline else board.name
            files = (
                self._offline_project(firmware, board, project)
                if is_offline
                else _vendor_project(board, place)
            )
            write_project((*files, ("job.json", job)), project)
            _place_image(firmware, project / ".pio" / "build" / environment)
            self._upload(environment, board, project, is_offline=is_offline)

    def reset(self, board: Board, place: Place) -> None:
        """Start what is in flash from the beginning: by pyOCD, since PlatformIO has no such thing.

        Raises:
            DeviceError: as pyOCD's flasher says.
        """
        PyOcdFlasher().reset(board, place)

    def _offline_project(self, firmware: Firmware, board: Board, project: Path) -> Files:
        command = " ".join(map(shlex.quote, (*self.uploader, str(project / "job.json"))))
        ini = _ini(
            *(f"[env:{offline_environment(board)}]", f"platform = symlink://{project}/platform"),
            *(f"board = {board.name}", "upload_protocol = custom"),
            f'upload_command = {command} "$SOURCE"',
        )
        return (("platformio.ini", ini), *offline_files(board, firmware.target))

    def _upload(self, environment: str, board: Board, project: Path, *, is_offline: bool) -> None:
        # What PlatformIO cannot find a checksum of, it clears away; the image would be gone.
        arguments = ["run", "--disable-auto-clean", "-e", environment]
        core = project / ".pio" / "core" if is_offline else None
        try:
            said = run_pio(
                [*arguments, "-t", "nobuild", "-t", "upload"],
                project=project,
                core=core,
                timeout_s=self.longest_s,
                watch=_ignore if is_offline else _OnlyWithRegistry(board),
            )
        except ToolchainError as error:
            kind = NoAnswerError if "no end after" in error.message else DeviceError
            raise kind(error.message, hint=error.hint) from None
        if said.code != 0:
            raise _told(said.text) or _unreachable(said.text, board) or _failed(said, board)


class _OnlyWithRegistry:
    """Ends PlatformIO when it begins to fetch a package that it cannot get."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._is_reachable: bool | None = None

    def __call__(self, text: str) -> None:
        """Look at what PlatformIO said.

        Raises:
            DeviceNotFoundError: it fetches, and its registry is not there.
        """
        if self._is_reachable is None and _FETCHING.search(text):
            self._is_reachable = is_registry_reachable()
            if not self._is_reachable:
                raise _no_registry(self._board)


def _ignore(_text: str) -> None:
    """The offline platform is installed, too, but from a folder."""


def _vendor_project(board: Board, place: Place) -> Files:
    lines = vendor_environment(board)
    if not lines:
        raise DeviceNotFoundError(
            f"{board.name}: PlatformIO has no platform for it", hint="use --flash pyocd"
        )
    if place.probe is None or place.probe.uid is None:
        raise DeviceNotFoundError(
            f"{board.name}: its place names no probe, and PlatformIO would take the first it finds",
            hint="give its serial number in the lab file: probe, uid",
        )
    flags = [f.format(uid=place.probe.uid) for f in PROBE_FLAGS[board.platformio_platform or ""]]
    # An argument a line; PlatformIO itself puts quotes around one with spaces.
    arguments = (f"  {flag}" for flag in flags)
    return (("platformio.ini", _ini(*lines, "upload_flags =", *arguments)),)


def _ini(*lines: str) -> str:
    return "\n".join([*lines, "test_framework = custom"]) + "\n"


def _place_image(firmware: Firmware, folder: Path) -> None:
    """Put an image where PlatformIO would have built it, in all forms that uploaders take."""
    folder.mkdir(parents=True)
    (folder / "firmware.elf").write_bytes(firmware.elf.read_bytes())
    compiler = find_compiler("arm-none-eabi-gcc")
    objcopy = compiler.path.removesuffix("gcc") + "objcopy"
    for suffix, form in _SUFFIXES.items():
        to = folder / f"firmware.{suffix}"
        run([objcopy, "-O", form, str(firmware.elf), str(to)], what=f"writing {to.name}")


def _told(text: str) -> DeviceError | None:
    """Return the error that our upload command told, if it did."""
    line = next((line for line in text.splitlines() if line.startswith(MARK)), None)
    if line is None:
        return None
    told = json.loads(line.removeprefix(MARK))
    kind = getattr(errors, told["type"], DeviceError)
    if not issubclass(kind, DeviceError):
        kind = DeviceError
    error: DeviceError = kind(told["message"], hint=told["hint"])
    return error


def _failed(said: Said, board: Board) -> DeviceError:
    return DeviceError(
        f"{board.name}: PlatformIO's upload failed: {said.complaint()}",
        hint="--flash pyocd programs without it",
    )


def _unreachable(text: str, board: Board) -> DeviceError | None:
    return _no_registry(board) if _NO_REGISTRY.search(text) else None


def _no_registry(board: Board) -> DeviceNotFoundError:
    return DeviceNotFoundError(
        f"PlatformIO's platform {board.platformio_platform} is not installed whole, and its "
        "registry cannot be reached",
        hint=f"connect once for `pio pkg install -g -p {board.platformio_platform}`, "
        "or use --flash pyocd",
    )
