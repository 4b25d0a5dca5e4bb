"""Estimated cycles of an image that was run: beside its instructions, never in their place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.board.schema import Core, TimingTable
from harness.errors import OutputsDifferError, UsageError
from harness.ir.tensor import Array
from harness.timing.estimate import Estimate, estimate

CORE = Core.CORTEX_M4
"""The one core with a table: Arm publishes none of the Cortex-M7's pairs of instructions."""

TIMING = TimingTable.CORTEX_M4
"""That table."""


def check_core(core: Core) -> None:
    """Refuse cores without a table of timings.

    Raises:
        UsageError: there is none.
    """
    if core is not CORE:
        raise UsageError(
            f"there is no table of timings of {core.value}", hint=f"there is one of {CORE.value}"
        )


def estimate_image(elf: Path, inputs: Sequence[Array], expected: Sequence[Array]) -> Estimate:
    """Return the estimate of one inference on a Cortex-M4.

    Raises:
        OutputsDifferError: other outputs than expected: then it did not run as a board would.
        BenchError: what :func:`harness.timing.estimate.estimate` raises.
    """
    found = estimate(elf, [each.tobytes() for each in inputs])
    if found.outputs != tuple(each.tobytes() for each in expected):
        raise OutputsDifferError(f"{elf}: outputs under Unicorn differ from the reference")
    return found
