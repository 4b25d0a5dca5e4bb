"""What a reader of a record must know so as not to misread it."""

from __future__ import annotations

from harness.board.schema import DeviceKind
from harness.devices.protocol import Capability
from harness.experiment.case import Found
from harness.models.catalog import Weights
from harness.schedule.plan import Plan
from harness.telemetry.board_state import BoardState


def caveats(
    found: Found,
    plan: Plan,
    samples: tuple[float, ...],
    capabilities: frozenset[Capability],
    state: BoardState,
) -> tuple[str, ...]:
    """Return the warnings of one case, as sentences."""
    target = found.target
    notes: list[str] = []
    if target.kind is DeviceKind.QEMU:
        notes.append("instructions are counted on an emulator; they are neither cycles nor seconds")
    if target.kind is DeviceKind.RENODE:
        notes.append(
            "instructions are counted on a model of the chip, which has no caches, wait states or "
            "pipeline, and where an access to nothing reads 0 instead of faulting"
        )
    if found.is_simulated:
        notes.append("the desk is simulated: nothing here was measured on hardware")
    if target.stand_in:
        notes.append(
            f"{target.machine} stands in for {target.board}: code for its core "
            f"({target.core.value}) in memories of its sizes, but not its clocks, caches, wait "
            "states or peripherals"
        )
    if plan.kernels.counts_cycles and Capability.EXACT_COUNT in capabilities:
        notes.append(
            f"kernels are those with the fewest cycles by the timings of {target.board}; "
            "--optimize instructions takes fewer instructions"
        )
    if target.kind is DeviceKind.HOST:
        notes.append(
            f"the host ran a native build; nothing here tells how fast {target.board} would be"
        )
    knows_core = target.kind is not DeviceKind.RENODE  # there every CPUID is the model's
    if knows_core and state.core and state.core != target.core.value:
        notes.append(f"the code is for a {target.core.value}, the core that ran it a {state.core}")
    if state.is_clock_wrong:
        notes.append(
            f"the core's clock was set to {state.core_hz:,} Hz and measured at "
            f"{state.measured_hz:,} Hz: seconds and energy would be wrong by as much"
        )
    if plan.fetches_input:
        notes.append(
            "the input arrives row by row; neither waiting for a row nor fetching it is counted"
        )
    if found.model.weights is Weights.SYNTHETIC:
        notes.append("weights: synthetic; outputs are exact but their meaning is not")
    notes += found.model.notes
    if Capability.EXACT_COUNT in capabilities and len(set(samples)) > 1:
        notes.append("samples differ although this device counts exactly: inputs differ in work")
    return tuple(notes)
