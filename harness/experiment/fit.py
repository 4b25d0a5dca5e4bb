"""Does a model fit: the plan that fits a board and the limits asked for, or why there is none."""

from __future__ import annotations

from harness.board.schema import Board
from harness.board.target import Target
from harness.errors import DoesNotFitError, DoesNotFitInFlashError, UsageError
from harness.ir import Graph
from harness.kernels.flash import code_of, runtime_bytes
from harness.kernels.kernel_set import KernelSet
from harness.schedule.advice import what_fits
from harness.schedule.limits import FlashLimit
from harness.schedule.plan import Plan
from harness.schedule.search import plan as make_plan
from harness.schedule.timeline import what_holds_the_peak
from harness.toolchain.firmware import Footprint
from harness.toolchain.gcc import STACK_BYTES
from harness.units import format_bytes

_RUNTIME_BYTES = 4096
"""More than the runtime's variables take; the linker checks to the byte."""


def flash_limit(
    kernels: KernelSet, board: Board | None, limit: int | None, target: Target | None = None
) -> FlashLimit | None:
    """Return what an image may take of flash: what is asked for, or what the board has.

    Without a target the image is for the board itself, or for its emulation if it has no port.

    Raises:
        UsageError: a limit was asked for, and the kernels are the host's.
    """
    code = code_of(kernels)
    if code is None:
        if limit is not None:
            raise UsageError(
                "--flash-limit is of firmware, and the host runs none",
                hint="take --device qemu, or leave the limit out",
            )
        return None
    if board is None:
        return None if limit is None else FlashLimit(limit, runtime_bytes())
    port = target.port if target is not None else board.port
    if not port and board.emulation is not None:
        port = board.emulation.port
    runtime, size = runtime_bytes(port or "", board.core.value), board.memory("flash").size_bytes
    if limit is not None and limit <= size:
        return FlashLimit(limit, runtime)
    return FlashLimit(size, runtime, slack_bytes=code.most, board=board.name)


def choose_plan(
    graph: Graph,
    schedule: str,
    *,
    kernels: KernelSet,
    board: Board | None,
    limit: int | None,
    flash: FlashLimit | None,
    input_by_rows: bool,
    patch: tuple[int, tuple[int, int]] | None,
) -> Plan:
    """Return the verified plan of a schedule.

    ``auto`` takes the least work that fits into the limits and the board. ``patch`` and ``stream``
    take the least work that fits into the limit, and few bytes if there is none: who asks for them
    wants few, however much the board has. The others do not search.

    Raises:
        UsageError: no such schedule, or an option that it does not have.
        InputError: the model does not allow it, or nothing fits.
    """
    allowed = limit if schedule in ("auto", "patch", "stream") else None
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
            flash=flash,
            input_by_rows=input_by_rows,
            patch=patch,
        )
    except DoesNotFitInFlashError:
        raise
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


def check_flash(model: str, footprint: Footprint, limit: int | None) -> None:
    """Raise when a linked image is above the limit, which the plan was only estimated to keep."""
    taken = footprint.flash_bytes
    if limit is not None and taken > limit:
        raise DoesNotFitInFlashError(
            f"{model}: the image takes {format_bytes(taken)} of flash, --flash-limit allows "
            f"{format_bytes(limit)}: {format_bytes(taken - limit)} too much",
            hint="try --optimize size; raise --flash-limit; or take a model with fewer weights",
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
