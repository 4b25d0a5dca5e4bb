"""SRAM told three times, and the gaps between the figures itemised to the byte.

Planned is what the scheduler promises (arena and scratch). Linked is what the image reserves.
Measured is what an inference touched, found by painting. Each gap has a name and a signed size;
from planned, the gaps lead to linked, and from linked to measured, without a remainder.
"""

from __future__ import annotations

from harness.results.record import GapPart, SramPart
from harness.schedule.plan import Plan
from harness.telemetry.session import SramUse
from harness.toolchain.firmware import Footprint


def reconcile(plan: Plan, footprint: Footprint, used: SramUse) -> SramPart:
    """Return the three figures of a run with the gaps between them.

    ``measured_peak_bytes`` is None where no stack could be painted, as in a native build.
    """
    planned = plan.planned_peak_bytes
    linked = footprint.linked_sram_bytes
    gaps = [
        GapPart(what="linked: arena rounded up", bytes=footprint.arena_bytes - planned),
        GapPart(what="linked: static data of the runtime", bytes=footprint.static_bytes),
        GapPart(what="linked: stack reserved", bytes=footprint.stack_reserved_bytes),
    ]
    measured: int | None = None
    stack = used.stack_high_water or None
    if stack is not None:
        measured = footprint.static_bytes + used.arena_high_water + stack
        gaps += [
            GapPart(
                what="measured: arena not touched",
                bytes=used.arena_high_water - footprint.arena_bytes,
            ),
            GapPart(
                what="measured: stack not touched",
                bytes=stack - footprint.stack_reserved_bytes,
            ),
        ]
    return SramPart(
        arena_bytes=plan.arena_bytes,
        scratch_bytes=plan.scratch_bytes,
        static_bytes=footprint.static_bytes,
        stack_bytes=stack,
        planned_peak_bytes=planned,
        linked_bytes=linked,
        measured_peak_bytes=measured,
        gaps=tuple(gap for gap in gaps if gap.bytes),
    )
