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
from harness.errors import DeviceNotFoundError, DoesNotFitError, UsageError, near_names
from harness.experiment.labs import check_lab, is_attached, is_simulated
from harness.importer.tflite import read_tflite
from harness.ir import Graph
from harness.kernels.kernel_set import PORTABLE, KernelSet, kernels_for
from harness.models.catalog import ModelFile, find_model
from harness.passes.pipeline import Stage, trace_passes
from harness.passes.selection import select_passes
from harness.schedule.advice import what_fits
from harness.schedule.plan import Plan
from harness.schedule.search import plan as make_plan
from harness.schedule.timeline import what_holds_the_peak
from harness.toolchain.firmware import Builder
from harness.toolchain.gcc import STACK_BYTES
from harness.units import format_bytes

_RUNTIME_BYTES = 4096
"""More than the runtime's variables take; the linker checks to the byte."""

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
        InputError: the model cannot be read or run.
        UsageError: a schedule that does not exist.
    """
    case = found.case
    imported, stages = _read(found.model.data, found.model.name, found.passes)
    plan = choose_plan(
        stages[-1].graph,
        case.schedule,
        kernels=_kernels(found),
        board=found.board,
        limit=case.sram_limit,
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
    return kernels_for(found.target.core, found.case.optimize)


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


def choose_plan(
    graph: Graph,
    schedule: str,
    *,
    kernels: KernelSet,
    board: Board | None,
    limit: int | None,
    input_by_rows: bool,
    patch: tuple[int, tuple[int, int]] | None,
) -> Plan:
    """Return the verified plan of a schedule.

    ``auto`` takes the least work that fits into the limit and the board. ``patch`` takes the least
    work that fits into the limit, and few bytes if there is none: who asks for patches wants them,
    however much the board has. The others do not search.

    Raises:
        UsageError: no such schedule, or an option that it does not have.
        InputError: the model does not allow it, or nothing fits.
    """
    allowed = limit if schedule in ("auto", "patch") else None
    is_board_tighter = False
    if schedule == "auto" and board is not None:
        free = max(0, board.memory("ram").size_bytes - STACK_BYTES - _RUNTIME_BYTES)
        is_board_tighter = limit is None or free < limit
        allowed = free if is_board_tighter else limit
    try:
        return make_plan(
            graph,
            schedule,
            kernels=kernels,
            limit=allowed,
            input_by_rows=input_by_rows,
            patch=patch,
        )
    except DoesNotFitError as error:
        assert allowed is not None, "a plan fits where there is no limit"
        ways = [
            f"try {way}"
            for way in what_fits(
                graph, kernels, allowed, schedule=schedule, input_by_rows=input_by_rows
            )
        ]
        if board is None or not is_board_tighter:
            hint = "; or ".join([*ways, error.hint])
            raise DoesNotFitError(error.message, hint=hint) from None
        raise DoesNotFitError(
            f"{error.message}. {board.name} has {format_bytes(board.memory('ram').size_bytes)}, "
            f"less {format_bytes(STACK_BYTES)} for the stack and {format_bytes(_RUNTIME_BYTES)} "
            "for the runtime",
            hint="; or ".join([*ways, "take a board with more SRAM (`bench boards`)"]),
        ) from None


def check_sram(plan: Plan, board: Board | None, limit: int | None) -> None:
    """Raise when the planned peak alone is above the limit or the board's SRAM.

    What the linker adds (static data, stack) is checked by the toolchain, to the byte.
    """
    bounds: list[tuple[int, str]] = []
    if limit is not None:
        bounds.append((limit, "--sram-limit allows"))
    if board is not None:
        bounds.append((board.memory("ram").size_bytes, f"{board.name} has"))
    if not bounds:
        return
    allowed, whose = min(bounds)
    peak = plan.planned_peak_bytes
    if peak > allowed:
        raise DoesNotFitError(
            f"{plan.graph.name}: schedule {plan.schedule} needs {format_bytes(peak)} of SRAM for "
            f"activations and scratch, {whose} {format_bytes(allowed)}: "
            f"{format_bytes(peak - allowed)} too much; {what_holds_the_peak(plan)}",
            hint=_what_would_help(plan, allowed, limit is not None),
        )


def _what_would_help(plan: Plan, allowed: int, limited: bool) -> str:
    ways = what_fits(
        plan.graph,
        plan.kernels,
        allowed,
        schedule=plan.schedule,
        input_by_rows=plan.fetches_input,
    )
    return "; ".join(
        [
            *(f"try {way}" for way in ways),
            "raise --sram-limit" if limited else "take a board with more SRAM (`bench boards`)",
            "or a model with a smaller input or fewer channels at that op",
        ]
    )
