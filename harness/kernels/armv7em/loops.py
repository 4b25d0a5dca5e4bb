"""What the two inner loops of convolutions take on a Cortex-M4: instructions, and cycles.

One makes three pixels and two channels at a time (``armv7em/block.h``), the other two pixels and
four channels (``block_2x4.h``), in fewer cycles and more instructions. The products are counted in
their code; what is around them was fitted to pointwise convolutions of 20 shapes, whose cycles are
estimated by :mod:`harness.timing`: at most 1 % off, and 3 % where there are four pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.ir.ops import Window
from harness.kernels.armv7em.filters import UNROLLED


@dataclass(frozen=True, slots=True)
class Shape:
    """What a loop makes: pixels, of windows of so many runs and units, and output channels.

    ``has_narrow`` says that there are functions for pixels that are left over.
    """

    pixels: int
    runs: int
    units: int
    channels: int
    has_narrow: bool = True


@dataclass(frozen=True, slots=True)
class Loop:
    """What the parts of a loop take.

    A block is some pixels that are gathered, run by run and unit by unit of four values, once for
    all channels. For each ``channels`` of these there are the products of a unit, fewer of a
    ``narrow`` block of pixels that are left over, rounds of the loop over units, and the rest of a
    group; channels that make no whole group take a call more.
    """

    lanes: int
    channels: int
    block: float
    run: float
    gathered: float
    unit: float
    narrow_unit: float
    round: float
    group: float
    call: float

    def of(self, shape: Shape) -> float:
        """Return what a shape takes; pixels at the border, which take both loops more, are not."""
        narrow = 0
        if self.lanes > LANES_OF_NARROW:
            narrow = {0: 0, 1: min(2, shape.pixels), 2: 1}[shape.pixels % self.lanes]
        wide = max(-(-(shape.pixels - LANES_OF_NARROW * narrow) // self.lanes), 0)
        groups = -(-shape.channels // self.channels)
        rounds = max(-(-(shape.units - 1) // UNROLLED), 1)
        around = self.block + self.run * shape.runs + self.gathered * shape.units
        around += groups * (self.group + self.round * rounds)
        if shape.channels % self.channels:
            around += self.call
        narrow_unit = self.narrow_unit if shape.has_narrow else self.unit
        products = groups * shape.units * (wide * self.unit + narrow * narrow_unit)
        return (wide + narrow) * around + products


def border_share(window: Window, x: tuple[int, ...], y: tuple[int, ...]) -> float:
    """Return the share of the pixels whose windows are not wholly on the tensor [H, W, C]."""
    inner = 1.0
    for axis, before in enumerate((window.padding.top, window.padding.left)):
        stride, extent = window.stride[axis], window.extent[axis]
        last = min((x[axis] - extent + before) // stride, y[axis] - 1)
        inner *= max(last + 1 - -(-before // stride), 0) / y[axis]
    return 1.0 - inner


LANES_OF_NARROW = 2
"""Pixels of a block of what is left over."""

BORDER, ROUND = 148, 5.2
"""What both loops take more for each run of a window at the border, which is gathered by itself,
and for each output that is rounded as the reference does it; fitted to counts of networks."""

INSTRUCTIONS_3X2 = Loop(
    lanes=3, channels=2, block=56, run=24, gathered=10.6, unit=17, narrow_unit=13, round=0.5,
    group=29.2, call=48,
)  # fmt: skip
INSTRUCTIONS_2X4 = Loop(
    lanes=2, channels=4, block=64, run=23, gathered=10.2, unit=28, narrow_unit=28, round=3.4,
    group=45.8, call=57,
)  # fmt: skip
CYCLES_3X2 = Loop(
    lanes=3, channels=2, block=119, run=36, gathered=18.0, unit=25, narrow_unit=19, round=2.6,
    group=45.1, call=99,
)  # fmt: skip
CYCLES_2X4 = Loop(
    lanes=2, channels=4, block=121, run=35, gathered=11.5, unit=30, narrow_unit=30, round=6.6,
    group=51.6, call=103,
)  # fmt: skip
