"""What is to be measured: one model on one board, and how.

A case names things; :func:`find` finds them, :func:`plan_case` reads the model and plans its
memory. Nothing is built and no device is touched before, so a wrong name, a wrong input or an
unsupported model is told at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.board.load import load_board
from harness.board.schema import Board, DeviceKind
from harness.board.target import Target, target_for
from harness.devices.renode import board_script
from harness.devices.renode_process import find_renode
from harness.devices.replay import built_for, read_capture
from harness.errors import DeviceNotFoundError, UsageError, near_names
from harness.experiment.fit import choose_plan, flash_limit
from harness.experiment.labs import check_lab, is_attached, is_simulated
from harness.importer.tflite import read_tflite
from harness.ir import Graph
from harness.kernels.kernel_set import PORTABLE, KernelSet, kernels_for
from harness.models.catalog import ModelFile, find_model
from harness.passes.pipeline import Stage, trace_passes
from harness.passes.selection import select_passes
from harness.schedule.plan import Plan
from harness.toolchain.firmware import Builder

DEVICES = ("auto", "hardware", "hardware:PLACE", "renode", "qemu", "host", "replay:FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case as the user asks for it. Paths and names are not yet looked at."""

    board: str
    model: str
    device: str = "auto"
    lab: str | None = None
    flash: str = "pyocd"
    schedule: str = "auto"
    sram_limit: int | None = None
    flash_limit: int | None = None
    input_by_rows: bool = False
    patch: tuple[int, tuple[int, int]] | None = None
    optimize: str = "cycles"
    builder: Builder = "direct"
    passes: str = "all"
    inputs: Path | None = None
    warmup: int = 1
    repeat: int = 3
    timeout_s: float = 600.0

    @property
    def place(self) -> str | None:
        """The place of the lab that ``hardware:PLACE`` names."""
        kind, _, name = self.device.partition(":")
        return name or None if kind == DeviceKind.HARDWARE else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the names of a case stand for. ``kind`` executes the firmware, ``passes`` are to run.

    A replay has the target of what was captured.
    """

    case: Case
    board: Board
    target: Target
    kind: DeviceKind
    model: ModelFile
    capture: Path | None
    passes: tuple[str, ...]

    @property
    def is_simulated(self) -> bool:
        """Whether the board hangs on a simulated desk."""
        return self.kind is DeviceKind.HARDWARE and is_simulated(self.case.lab)


@dataclass(frozen=True, slots=True)
class Planned:
    """A model that was read and planned.

    ``imported`` is the graph as the file has it, which the reference interprets; ``stages`` are
    what the passes made of it; ``plan`` is over the last of them, which is what runs.
    """

    imported: Graph
    stages: tuple[Stage, ...]
    plan: Plan


def find(case: Case) -> Found:
    """Find what a case names.

    Raises:
        UsageError: a board, model, device or pass that does not exist, or a lab that is none.
        InputError: a file that is not what it should be, or a model that cannot be had.
        DeviceNotFoundError: the board has no such device.
    """
    kind, capture = device_kind(case.device)
    board = load_board(case.board)
    if case.lab is not None and case.device != "auto" and kind is not DeviceKind.HARDWARE:
        raise UsageError(f"--lab is of --device hardware, not of {case.device}")
    check_lab(case.lab, board.name)
    if case.device == "auto":
        kind = _best_kind(case, board)
    builds_for = kind
    if kind is DeviceKind.HARDWARE and is_simulated(case.lab):
        builds_for = DeviceKind.QEMU
    if capture is not None:
        builds_for = built_for(read_capture(capture))
    return Found(
        case=case,
        board=board,
        target=target_for(board, builds_for),
        kind=kind,
        model=find_model(case.model),
        capture=capture,
        passes=select_passes(case.passes),
    )


def plan_case(found: Found) -> Planned:
    """Read and plan the model of a case.

    Raises:
        InputError: the model cannot be read or run, or no plan fits.
        UsageError: a schedule that does not exist, or a limit of flash on the host.
    """
    case = found.case
    imported, stages = _read(found.model.data, found.model.name, found.passes)
    kernels = _kernels(found)
    plan = choose_plan(
        stages[-1].graph,
        case.schedule,
        kernels=kernels,
        board=found.board,
        limit=case.sram_limit,
        flash=flash_limit(kernels, found.board, case.flash_limit, found.target),
        input_by_rows=case.input_by_rows,
        patch=case.patch,
    )
    return Planned(imported, stages, plan)


@lru_cache(maxsize=2)
def _read(data: bytes, name: str, passes: tuple[str, ...]) -> tuple[Graph, tuple[Stage, ...]]:
    """Return the graph of a file and what the passes make of it; a sweep asks again and again."""
    imported = read_tflite(data, name=name)
    return imported, trace_passes(imported, passes)


def _kernels(found: Found) -> KernelSet:
    """Return the kernels that a case runs; the host has no core that there are others for."""
    if found.target.kind is DeviceKind.HOST:
        return PORTABLE
    return kernels_for(found.target.core, found.case.optimize, found.board.timing_table)


def is_on_hardware(case: Case) -> bool:
    """Whether a case would run on a real board now; a case that names no board would not.

    Raises:
        FactsError: the lab file is wrong.
    """
    if case.device != "auto":
        return device_kind(case.device)[0] is DeviceKind.HARDWARE and not is_simulated(case.lab)
    try:
        kind = _best_kind(case, load_board(case.board))
    except UsageError:
        return False
    return kind is DeviceKind.HARDWARE and not is_simulated(case.lab)


def _best_kind(case: Case, board: Board) -> DeviceKind:
    """Return hardware if the lab has the board and it is there, else the best emulation of it."""
    if case.lab is not None or is_attached(board.name):
        return DeviceKind.HARDWARE
    return DeviceKind.RENODE if has_renode(board) else DeviceKind.QEMU


def has_renode(board: Board) -> bool:
    """Whether a Renode is here and knows the board: then it comes before a stand-in."""
    try:
        return board.port is not None and bool(find_renode() and board_script(board.name))
    except DeviceNotFoundError:
        return False


def device_kind(device: str) -> tuple[DeviceKind, Path | None]:
    """Return the kind that ``--device`` names, and the capture of ``replay:FILE``."""
    name, _, path = device.partition(":")
    if name == "replay" and path:
        return DeviceKind.REPLAY, Path(path)
    if name == "hardware":
        return DeviceKind.HARDWARE, None
    if name == "auto" and not path:
        return DeviceKind.QEMU, None
    if name in ("renode", "qemu", "host") and not path:
        return DeviceKind(name), None
    raise UsageError(f"unknown device {device!r}", hint=near_names(device, DEVICES))
