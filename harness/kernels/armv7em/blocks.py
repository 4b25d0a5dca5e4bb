"""What the inner loops of convolutions make at a time, and how windows are gathered for them."""

from __future__ import annotations

from dataclasses import dataclass

from harness.kernels.armv7em import block_2x4, loops
from harness.kernels.armv7em.filters import LANES, UNIT


@dataclass(frozen=True, slots=True)
class Runs:
    """The cells of a window that lie side by side: how many such runs, and values of each.

    ``words`` of four values are expanded together. Runs are rounded up to them where the products
    are no more; else the values left over come last.
    """

    count: int
    cells: int
    values: int

    @property
    def words(self) -> int:
        """Words of four values that a run is expanded in."""
        up = -(-self.values // 4)
        return up if self.count * up == -(-self.count * self.values // 4) else self.values // 4

    @property
    def rest(self) -> int:
        """Values of a run that are left over."""
        return max(self.values - 4 * self.words, 0)

    @property
    def order(self) -> list[int]:
        """Taps in the order in which they are gathered; -1 is none."""
        taps = []
        for run in range(self.count):
            for word in range(self.words):
                for value in (4 * word, 4 * word + 2, 4 * word + 1, 4 * word + 3):
                    taps.append(run * self.values + value if value < self.values else -1)
        for run in range(self.count):
            first = run * self.values + 4 * self.words
            taps += range(first, first + self.rest)
        return taps

    @property
    def units(self) -> int:
        """Units of values of a window."""
        return -(-self.count * (4 * self.words + self.rest) // UNIT)


@dataclass(frozen=True, slots=True)
class Block:
    """What the inner loop makes at a time: so many pixels, by C functions of one ``suffix``.

    ``gathers`` are functions that gather some windows; the first one gathers any.
    """

    name: str
    suffix: str
    lanes: int
    instructions: loops.Loop
    gathers: tuple[tuple[Runs | None, str], ...]

    @property
    def header(self) -> str:
        """The C header."""
        return f"armv7em/conv{self.suffix}.h"

    def gather(self, runs: Runs, *, compact: bool) -> str:
        """Return the function that gathers windows of some runs."""
        return next(
            function for of, function in self.gathers if of is None or (of == runs and not compact)
        )

    def expanded_bytes(self, runs: Runs) -> int:
        """Return the bytes of its expanded windows."""
        return runs.units * UNIT * 2 * self.lanes


BLOCK_3X2 = Block(
    "armv7em",
    "",
    LANES,
    loops.INSTRUCTIONS_3X2,
    ((Runs(3, 3, 9), "gather_nines"), (Runs(3, 3, 3), "gather_threes"), (None, "gather_lanes")),
)
"""Three pixels and two channels: windows of any kind, and what 3x3 windows see of three channels
and of one."""

BLOCK_2X4 = Block(
    "armv7em 2x4",
    "_2x4",
    block_2x4.LANES,
    loops.INSTRUCTIONS_2X4,
    (
        (Runs(3, 3, 9), "gather_nines_of_both"),
        (Runs(3, 3, 3), "gather_threes_of_both"),
        (None, "gather_both"),
    ),
)
"""Two pixels and four channels."""
