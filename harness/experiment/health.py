"""What a run needs from the system, looked at without running anything but ``--version``."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.board.load import load_board
from harness.devices.probes import Known, known_to_pyocd
from harness.devices.renode_process import find_renode
from harness.errors import DeviceError, DeviceNotFoundError
from harness.models.catalog import MODELS_VARIABLE, catalog

_ANSWER_S = 10.0


class State(StrEnum):
    """Whether something is there, missing though needed, or missing and optional."""

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked for; ``remedy`` says how to get it if it is not there."""

    what: str
    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class _Tool:
    command: str
    purpose: str
    apt: str
    brew: str
    needed: bool


_TOOLS = (
    _Tool("arm-none-eabi-gcc", "builds firmware", "gcc-arm-none-eabi libnewlib-arm-none-eabi",
          "--cask gcc-arm-embedded", needed=True),
    _Tool("qemu-system-arm", "--device qemu", "qemu-system-arm", "qemu", needed=True),
    _Tool("cc", "--device host", "gcc libc6-dev", "gcc", needed=False),
)  # fmt: skip


def check_all(board_name: str) -> tuple[Check, ...]:
    """Return all checks: tools, the machine for a board, and where models come from."""
    return (
        *(_check_tool(tool) for tool in _TOOLS),
        _check_newlib(),
        _check_renode(),
        _check_machine(board_name),
        *_check_pyocd(board_name),
        _check_extra("platformio", "--builder and --flash platformio"),
        _check_extra("labgrid", "--lab labgrid://…"),
        _check_models(),
    )


def _check_tool(tool: _Tool) -> Check:
    what = f"{tool.command} ({tool.purpose})"
    path = shutil.which(tool.command)
    if path is not None:
        return Check(what, State.OK, _first_line([path, "--version"]))
    return Check(
        what,
        State.MISSING if tool.needed else State.OPTIONAL,
        "not on PATH",
        _how_to_install(tool.apt, tool.brew),
    )


def _check_newlib() -> Check:
    """The freestanding headers come with the compiler, ``string.h`` with newlib."""
    what = "newlib (C library headers)"
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is not None:
        found = _first_line([compiler, "-print-file-name=libc.a"])
        if Path(found).is_absolute():
            return Check(what, State.OK, found)
    remedy = _how_to_install("libnewlib-arm-none-eabi", "--cask gcc-arm-embedded")
    return Check(what, State.MISSING, "not found", remedy)


def _check_renode() -> Check:
    what = "renode (--device renode)"
    try:
        program = find_renode()
    except DeviceNotFoundError as missing:
        return Check(what, State.OPTIONAL, missing.message, missing.hint)
    return Check(what, State.OK, _first_line([program, "--version"]) or program)


def _check_machine(board_name: str) -> Check:
    board = load_board(board_name)
    what = f"emulated machine for {board.name}"
    if board.emulation is None:
        return Check(what, State.OPTIONAL, "no QEMU machine", "use --device host")
    qemu = shutil.which("qemu-system-arm")
    machine = board.emulation.machine
    if qemu is None:
        return Check(what, State.MISSING, "qemu-system-arm is missing", "see above")
    machines = _output([qemu, "-machine", "help"]).splitlines()
    if any(line.split(" ", 1)[0] == machine for line in machines):
        return Check(what, State.OK, machine + (" (stand-in)" if board.emulation.stand_in else ""))
    return Check(what, State.MISSING, f"this QEMU has no {machine}", "update QEMU to 7.2 or later")


def _check_pyocd(board_name: str) -> tuple[Check, Check]:
    """What pyOCD sees, and whether it can program the board's chip."""
    what, whose = "pyOCD (--device hardware)", f"pyOCD's support of {board_name}"
    try:
        known = known_to_pyocd()
    except DeviceError as error:
        missing = State.OPTIONAL, error.message, error.hint
        return Check(what, *missing), Check(whose, *missing)
    probes = "; ".join(f"{probe.description} {probe.uid}" for probe in known.probes)
    found = f"{version('pyocd')}, {probes or 'no probe is connected'}"
    return Check(what, State.OK, found), _check_target(whose, board_name, known)


def _check_target(what: str, board_name: str, known: Known) -> Check:
    target = load_board(board_name).pyocd_target
    if target is None:
        return Check(what, State.OPTIONAL, "the board's file names no pyocd_target")
    source = known.source(target)
    if source is None:
        remedy = f"pyocd pack install {target}, or name its .pack file in lab.yaml"
        return Check(what, State.OPTIONAL, f"{target} needs its CMSIS-Pack", remedy)
    return Check(what, State.OK, f"{target} ({source})")


def _check_extra(name: str, purpose: str) -> Check:
    """An extra of ours has the name of the package that it brings."""
    what = f"{name} ({purpose})"
    try:
        return Check(what, State.OK, version(name))
    except PackageNotFoundError:
        remedy = f"pip install 'bench-tinyml[{name}]'"
        return Check(what, State.OPTIONAL, "not installed", remedy)


def _check_models() -> Check:
    what = "pretrained models"
    folder = os.environ.get(MODELS_VARIABLE, "")
    if folder:
        here = sum((Path(folder) / entry.file).is_file() for entry in catalog().models)
        if here:
            return Check(what, State.OK, f"{here} of {len(catalog().models)} in {folder}")
        return Check(what, State.OPTIONAL, f"{MODELS_VARIABLE}={folder} holds none of the catalog")
    return Check(
        what,
        State.OPTIONAL,
        f"{MODELS_VARIABLE} is not set",
        "models are downloaded by hash when needed; without network, recipes give seeded weights",
    )


def _how_to_install(apt: str, brew: str) -> str:
    if platform.system() == "Darwin":
        return f"brew install {brew}"
    return f"apt-get install {apt} (or `make setup`)"


def _first_line(command: list[str]) -> str:
    return _output(command).strip().partition("\n")[0]


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_ANSWER_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not answer: {error}"
