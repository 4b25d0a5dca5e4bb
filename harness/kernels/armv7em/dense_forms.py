"""How the row of a fully connected op gets the 16 bits that the inner loop multiplies.

It is expanded whole, piece by piece, or as it is read; and words are loaded several by one
instruction, or each by its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.ir import Graph
from harness.ir.ops import Conv2D, FullyConnected
from harness.kernels.armv7em.filters import UNIT
from harness.kernels.kernel_set import KernelSet

GROUP = 4
"""Channels that are made together."""

_PIECE = 256
"""Values of a piece: what is done once a piece takes 1.4 % of its products then. A shorter input is
expanded whole."""

_FEW_CHANNELS = 12
"""With as few it takes no longer to expand the input for each four of them than once before."""

_BYTES_INSTRUCTIONS, _EXPAND_INSTRUCTIONS, _FOUR_INSTRUCTIONS = 16, 5, 24
"""What the loops take for a unit and four channels as it is read, to expand a unit, and for four
channels besides."""


@dataclass(frozen=True, slots=True)
class Loads:
    """How the inner loop loads words: several by one instruction, or each by its own.

    The latter takes fewer cycles and more ``instructions`` for a unit and four channels. It is only
    for packed weights, and for values that were expanded before; else the former does it under
    either name.
    """

    name: str
    header: str
    instructions: int
    has_singles: bool = False


_MULTIPLE = Loads("armv7em", "armv7em/fully_connected.h", 14)
_SINGLE = Loads("armv7em singles", "armv7em/fully_connected_singles.h", 18, has_singles=True)


@dataclass(frozen=True, slots=True)
class Form:
    """How a row of ``depth`` values is expanded for ``out`` channels: ``piece`` of them at a time.

    With 0 they are expanded as they are read, for each four channels again. A piece is all of them,
    or whole rounds of the inner loop.
    """

    depth: int
    out: int
    piece: int
    loads: Loads = _MULTIPLE

    @property
    def before(self) -> int:
        """Pieces before the last."""
        return (self.depth - 1) // self.piece if self.piece else 0

    @property
    def last(self) -> slice:
        """The values of the last piece."""
        return slice(self.before * self.piece, None)

    @property
    def prefix(self) -> str:
        """What the names of C functions begin with that make outputs."""
        if not self.piece:
            return "quads_bytes"
        return "quads_on" if self.before else "quads"

    @property
    def scratch_bytes(self) -> int:
        """Bytes of an expanded piece, and of the sums that are kept between pieces."""
        sums = 4 * whole_units(self.out, GROUP) if self.before else 0
        return sums + 2 * whole_units(self.piece, UNIT)

    @property
    def instructions(self) -> float:
        """What the loops execute for a row, roughly."""
        fours, units = -(-self.out // GROUP), -(-self.depth // UNIT)
        products = self.loads.instructions if self.piece else _BYTES_INSTRUCTIONS
        expanded = _EXPAND_INSTRUCTIONS * units if self.piece else 0.0
        return fours * (products * units + _FOUR_INSTRUCTIONS) + expanded

    def row_loops(self, rows: int, columns: int, *, in_batches: bool) -> float:
        """Return what the loops execute for rows, in which there is one column."""
        del in_batches  # there is no other way
        return rows * columns * self.instructions


def loads_of(kernels: KernelSet) -> tuple[Loads, ...]:
    """Return how words are loaded, the best way first."""
    return (_SINGLE, _MULTIPLE) if kernels.counts_cycles else (_MULTIPLE,)


def row_forms(graph: Graph, op: FullyConnected | Conv2D, kernels: KernelSet) -> Iterator[Form]:
    """Yield forms of less and less scratch for rows."""
    for loads in loads_of(kernels):
        forms = forms_of(graph, op, loads)
        yield from forms[-1:] if has_few_channels(forms[-1]) else forms


def forms_of(graph: Graph, op: FullyConnected | Conv2D, loads: Loads) -> list[Form]:
    """Return forms of less and less scratch; all but the last read a row before they write.

    There are pieces where they halve it, sums included, since they need code of their own.
    """
    depth, out = _shape(graph, op)
    whole, pieces, reading = (Form(depth, out, piece, loads) for piece in (depth, _PIECE, 0))
    halved = 2 * pieces.scratch_bytes <= whole.scratch_bytes
    return [whole, pieces, reading] if halved else [whole, reading]


def has_few_channels(form: Form) -> bool:
    """Return whether a long input is best not expanded before."""
    return form.out <= _FEW_CHANNELS and form.depth > _PIECE


def _shape(graph: Graph, op: FullyConnected | Conv2D) -> tuple[int, int]:
    """Return the values of a row, and the channels."""
    weights = graph.tensor(op.inputs[1])
    return weights.elements // weights.shape[0], weights.shape[0]


def whole_units(count: int, unit: int) -> int:
    """Return a count rounded up to whole units."""
    return -(-count // unit) * unit
