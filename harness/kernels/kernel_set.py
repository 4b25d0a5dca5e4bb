"""Which kernels a plan is made for: an instruction set, and what they are tuned for.

A plan depends on them: they say what an op may overwrite, what scratch it needs, and what it
costs. So the set is chosen before planning, from the core and from what shall be optimized.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from harness.board.schema import Board, Core, TimingTable


class Isa(Enum):
    """An instruction set for which there are kernels; the value names their folder."""

    PORTABLE = "portable"
    ARMV6M = "armv6m"
    ARMV7M = "armv7m"
    ARMV7EM = "armv7em"
    MVE = "mve"


@dataclass(frozen=True, slots=True)
class KernelSet:
    """Kernels of an instruction set; ``optimize`` is cycles, instructions or size.

    Where ``timing`` says what instructions take, cycles are the fewest by it; without it they are
    taken for as many as instructions.

    An op gets its best variant, but the one called ``only`` where that is among those offered: so
    that variants can be compared.
    """

    isa: Isa
    optimize: str = "cycles"
    only: str = ""
    timing: TimingTable | None = None

    @property
    def is_compact(self) -> bool:
        """Whether less flash is worth more time."""
        return self.optimize == "size"

    @property
    def counts_cycles(self) -> bool:
        """Whether variants that differ in cycles and instructions are chosen by cycles."""
        return self.optimize == "cycles" and self.timing is not None


PORTABLE = KernelSet(Isa.PORTABLE)
"""C11 kernels, which do every op on every core."""

_ISAS = {
    Core.CORTEX_M0: Isa.ARMV6M,
    Core.CORTEX_M0PLUS: Isa.ARMV6M,
    Core.CORTEX_M3: Isa.ARMV7M,
    Core.CORTEX_M4: Isa.ARMV7EM,
    Core.CORTEX_M7: Isa.ARMV7EM,
    Core.CORTEX_M33: Isa.ARMV7EM,
    Core.CORTEX_M55: Isa.MVE,
}


def kernels_for(core: Core, optimize: str, timing: TimingTable | None = None) -> KernelSet:
    """Return the kernels that a core executes best, by the timing of its board if that has one."""
    return KernelSet(_ISAS[core], optimize, timing=timing)


def kernels_of(board: Board | None, optimize: str) -> KernelSet:
    """Return the kernels of a board, or without one those of a Cortex-M4, by instructions."""
    if board is None:
        return kernels_for(Core.CORTEX_M4, optimize)
    return kernels_for(board.core, optimize, board.timing_table)
