"""One op on one emulated core, by each variant that its kernels offer.

Each variant is a firmware of its own: planned, generated, built and run as any model is, its
outputs compared with the reference interpreter's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.board.load import board_names, load_board
from harness.board.schema import Board, Core
from harness.errors import UsageError, near_names
from harness.experiment.estimated import TIMING, check_core
from harness.experiment.plan_run import run_plan
from harness.ir import Graph
from harness.ir.macs import graph_macs
from harness.kernels import library
from harness.kernels.kernel_set import KernelSet, kernels_for
from harness.models.one_op import OneOpShape, one_op
from harness.schedule.geometry import is_rowwise
from harness.schedule.plan import InplaceSegment, LayerSegment, Plan, Segment, StreamSegment
from harness.schedule.search import assemble
from harness.toolchain.footprint import source_symbols


class Form(StrEnum):
    """Over what a kernel runs: whole tensors, its own input, or rows in a ring."""

    WHOLE = "whole"
    INPLACE = "inplace"
    ROWS = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCase:
    """What is measured: an op of one shape, on a core; ``is_estimated`` asks for its cycles too."""

    shape: OneOpShape
    core: Core
    form: Form = Form.WHOLE
    optimize: str = "cycles"
    is_estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFigures:
    """One variant. ``code_bytes`` is of the op and the kernels under it, without the runtime.

    ``estimated_cycles`` are of the whole inference, give or take ``open_cycles``.
    """

    variant: str
    is_chosen: bool
    instructions: int
    macs: int
    elements: int
    scratch_bytes: int
    code_bytes: int
    weights_bytes: int
    flash_bytes: int
    is_bit_exact: bool
    estimated_cycles: int | None = None
    open_cycles: int | None = None


def board_of(core: Core) -> Board:
    """Return the emulated board with a core; one that stands in for nothing where there is one.

    Raises:
        UsageError: no emulated board has it.
    """
    emulated = [b for b in map(load_board, board_names()) if b.emulation is not None]
    found = [board for board in emulated if board.core is core]
    if not found:
        known = sorted({board.core.value for board in emulated})
        raise UsageError(f"no emulated board has a {core.value}", hint=f"known: {', '.join(known)}")
    return min(found, key=lambda board: board.emulation is None or board.emulation.stand_in)


def find_core(name: str) -> Core:
    """Return the core of a name.

    Raises:
        UsageError: there is none.
    """
    known = [core.value for core in Core]
    if name not in known:
        raise UsageError(f"there is no core {name!r}", hint=near_names(name, known))
    return Core(name)


def bench_kernel(
    case: KernelCase, report: Callable[[str, int, int], None] = lambda *_: None
) -> tuple[KernelFigures, ...]:
    """Return the figures of all variants, the chosen one first.

    Raises:
        UsageError: the op does not take this shape or form, or no board has the core.
        BenchError: what a run may raise.
    """
    if case.is_estimated:
        check_core(case.core)
    graph = one_op(case.shape)
    graph = replace(graph, sha256=hashlib.sha256(repr(case).encode()).hexdigest())
    board = board_of(case.core)
    timing = TIMING if case.is_estimated else None
    kernels = kernels_for(case.core, case.optimize, timing)
    names = _names(kernels, graph, case.form)
    figures = []
    for done, name in enumerate(names):
        report(name, done, len(names))
        made = _planned(graph, replace(kernels, only=name), case.form)
        figures.append(_run(case, board, made, name, is_chosen=name == names[0]))
    return tuple(figures)


def _names(kernels: KernelSet, graph: Graph, form: Form) -> list[str]:
    (op,) = graph.ops
    operand = 0 if form is Form.INPLACE else None
    if form is Form.ROWS:
        names = [found.name for found in library.row_variants(kernels, graph, op)]
    else:
        names = [found.name for found in library.variants(kernels, graph, op, operand)]
    return list(dict.fromkeys(names))


def _planned(graph: Graph, kernels: KernelSet, form: Form) -> Plan:
    (op,) = graph.ops
    segment: Segment
    match form:
        case Form.WHOLE:
            segment = LayerSegment(0)
        case Form.INPLACE:
            if 0 not in library.inplace_operands(kernels, graph, op):
                raise UsageError(f"{op.kind} of this shape cannot overwrite its input")
            segment = InplaceSegment(0, 0)
        case Form.ROWS:
            if not is_rowwise(graph, op):
                raise UsageError(f"{op.kind} of this shape does not go row by row")
            segment = StreamSegment(0, 0)
    return assemble(graph, form.value, (segment,), kernels)


def _run(
    case: KernelCase, board: Board, made: Plan, name: str, *, is_chosen: bool
) -> KernelFigures:
    done = run_plan(made, board, case.optimize, is_estimated=case.is_estimated)
    graph, cycles = made.graph, done.estimate
    held = made.workspace(0) or made.scratch(0)
    return KernelFigures(
        variant=name,
        is_chosen=is_chosen,
        instructions=sum(done.instructions.values()),
        macs=graph_macs(graph),
        elements=graph.tensor(graph.outputs[0]).elements,
        scratch_bytes=held.size_bytes if held else 0,
        code_bytes=sum(s.size_bytes for s in source_symbols(done.firmware.elf, "model.c")),
        weights_bytes=done.firmware.footprint.weights_bytes,
        flash_bytes=done.firmware.footprint.flash_bytes,
        is_bit_exact=done.is_bit_exact,
        estimated_cycles=None if cycles is None else cycles.cycles,
        open_cycles=None if cycles is None else cycles.open_cycles,
    )
