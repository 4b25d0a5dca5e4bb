"""A plan: what runs in which order in which bytes.

The unit of a plan is the *segment*: one op, or a run of ops that are executed together (row by
row, patch by patch). Ops that a segment fuses never see their inner tensors whole; what a segment
keeps of them (a ring of rows, a patch) is an :class:`Allocation` like any other. So a plan is

- segments, in execution order, which cover the graph's ops exactly once;
- allocations: runs of bytes in one arena, each alive over a range of segments.

Time is counted in segments: an allocation is alive from the segment that first writes it to the
one that last reads it, both included. Model inputs are alive from before the first segment
(``first`` is -1), model outputs to after the last (``last`` is the number of segments).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.ir import Graph, TensorId
from harness.kernels.kernel_set import PORTABLE, KernelSet

ALIGNMENT = 4
"""Offsets and sizes of allocations are multiples of this, in bytes.

A word: int32 and float32 tensors may lie anywhere in the arena, and a kernel may load the last,
partial word of an int8 tensor without touching its neighbour.
"""


def align(size_bytes: int) -> int:
    """Return a size rounded up to whole words."""
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


class Purpose(StrEnum):
    """What the bytes of an allocation hold."""

    TENSOR = "tensor"
    SCRATCH = "scratch"
    WORKSPACE = "workspace"


@dataclass(frozen=True, slots=True)
class Allocation:
    """``size_bytes`` bytes at ``offset`` in the arena, alive in segments ``first..last``.

    ``tensors`` are those whose bytes lie here one after the other in time (an op in place, a
    reshape). All of them start at ``offset``. Where an op in place leaves less than it took (a
    strided depthwise), the rest is free from the next segment on: the output then has a second
    allocation, smaller and at the same offset. Scratch and workspace have no tensors and belong to
    one segment.

    Allocations alive together are disjoint, except in a segment that goes row by row: its output
    and its workspace may reach into an input that nobody needs afterwards, as far as the rows that
    are read by then, and its output's last rows into rings that are dead by then.
    """

    purpose: Purpose
    tensors: tuple[TensorId, ...]
    offset: int
    size_bytes: int
    first: int
    last: int

    @property
    def end(self) -> int:
        """The first byte after the allocation."""
        return self.offset + self.size_bytes


@dataclass(frozen=True, slots=True)
class LayerSegment:
    """One op that reads whole tensors and writes whole tensors elsewhere."""

    op: int

    @property
    def ops(self) -> range:
        """Positions in ``graph.ops``."""
        return range(self.op, self.op + 1)

    @property
    def kind(self) -> str:
        """The word for it in records."""
        return "layer"


@dataclass(frozen=True, slots=True)
class InplaceSegment:
    """One op whose output takes the bytes of its input number ``operand``."""

    op: int
    operand: int

    @property
    def ops(self) -> range:
        """Positions in ``graph.ops``."""
        return range(self.op, self.op + 1)

    @property
    def kind(self) -> str:
        """The word for it in records."""
        return "inplace"


@dataclass(frozen=True, slots=True)
class AliasSegment:
    """An op that moves nothing: its output is its input under another shape (RESHAPE)."""

    op: int

    @property
    def ops(self) -> range:
        """Positions in ``graph.ops``."""
        return range(self.op, self.op + 1)

    @property
    def kind(self) -> str:
        """The word for it in records."""
        return "alias"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a fused segment keeps of one tensor: ``rows`` rows of ``columns`` columns.

    Row 0 lies in slot ``shift`` of those that begin at ``offset`` bytes from the start of the
    segment's workspace, the others behind it. A ring keeps as many rows as its readers reach back,
    and what follows its last slot lies in its first: row r in slot ``(r + shift) % rows``. A tile
    of a patch keeps all rows of the patch, so that nothing wraps around within one. In a stream a
    row may have fewer columns than are made of it: then it is made in chunks (``StreamSegment``).

    If the slots are those of another tensor, rows of both lie in them: the tensor is ``over`` it.
    Then a row takes a slot's first bytes, and the next row the slot that is ``pitch`` further on.
    """

    tensor: TensorId
    rows: int
    columns: int
    offset: int
    shift: int = 0
    over: TensorId | None = None
    settled: int = 0
    pitch: int = 1

    @property
    def owner(self) -> TensorId:
        """The tensor whose slots these are."""
        return self.tensor if self.over is None else self.over


@dataclass(frozen=True, slots=True)
class StreamSegment:
    """Ops ``first_op..last_op``, executed together row by row, so that nothing is computed twice.

    Rows of the last op's output are made from first to last. To make a row of an op, the rows of
    each inner operand that it reads are made first (each operand in order of ``op.inputs``, the
    one made by the latest op last), as far as they are not made yet; every row is made once. An op
    that sums over all rows (global pooling, MEAN) takes each row of its input as it is made.

    ``stripes`` > 1 cuts the columns of the output into that many stripes, which are made one after
    the other from left to right; what their halos share is computed again. With ``input_by_rows``
    the first op's operand is the model's input, which is never whole: it has a ring like an inner
    tensor, and a row is fetched where an op would make it.

    A tensor that one op alone reads, pixel by pixel, may be kept in fewer columns than are made of
    it. Then its maker and its reader make a row in chunks of that many columns, from left to right,
    first the one and then the other, after all else that they read was made; so do longer chains.

    If ``batch`` is more than 1, that many rows of the last op's output are asked for at once. An op
    makes what it is asked for ``batch`` rows at a time, or all that are left if they are less than
    half as many again, after what the last of them reads was made. Rows are not made in chunks
    then. And they lie one behind the other, with no ring: before rows of a tensor up to row ``end``
    are made in slots of its own, the rows in these slots, and those over them, all move down by as
    many as there would be too few for it. If some of these are ``settled``, only that many stay
    when the last op that reads rows of these slots has made its own; they move to the first slots,
    and what is behind is free for others until the next rows come. The kernels have
    ``scratch_bytes``, or as few as they can do with if that is more.

    One op alone is a stream too: it goes row by row, so that its output may reach into its input.

    An element-wise op (``geometry.is_elementwise``) may write its row over an operand's row that
    is dead afterwards, in the workspace as in the arena: it reads each element before it writes it.
    So may others in the workspace, whose kernels say so (``RowVariant.over_operand``): each row
    lies in the slot of the first row of the operand that its window reads. The int32 sums of an op
    that sums over all rows are the last bytes of the workspace (``geometry.sums_offset``).
    """

    first_op: int
    last_op: int
    rows: tuple[Rows, ...] = ()
    stripes: int = 1
    input_by_rows: bool = False
    batch: int = 1
    scratch_bytes: int = 0

    @property
    def ops(self) -> range:
        """Positions in ``graph.ops``."""
        return range(self.first_op, self.last_op + 1)

    @property
    def kind(self) -> str:
        """The word for it in records."""
        return "stream"


@dataclass(frozen=True, slots=True)
class PatchSegment:
    """Ops ``first_op..last_op``, executed patch by patch (MCUNetV2, arXiv:2110.15352).

    The last op's output is cut into ``grid`` patches (down, across), made from left to right and
    top to bottom. For each, the ops run one after the other, each on the tile of its tensor that
    the patch depends on, halo included; what halos share is computed again, and padding is only
    where the tensor's true border is.
    """

    first_op: int
    last_op: int
    grid: tuple[int, int]
    rows: tuple[Rows, ...] = ()

    @property
    def ops(self) -> range:
        """Positions in ``graph.ops``."""
        return range(self.first_op, self.last_op + 1)

    @property
    def kind(self) -> str:
        """The word for it in records."""
        return "patch"


FusedSegment = StreamSegment | PatchSegment
"""Segments whose inner tensors are never whole."""

Segment = LayerSegment | InplaceSegment | AliasSegment | StreamSegment | PatchSegment


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A graph with its schedule. All sizes are bytes."""

    graph: Graph
    schedule: str
    segments: tuple[Segment, ...]
    allocations: tuple[Allocation, ...]
    kernels: KernelSet = PORTABLE

    @property
    def planned_peak_bytes(self) -> int:
        """Bytes of the arena, scratch included."""
        return max((a.end for a in self.allocations), default=0)

    @property
    def arena_bytes(self) -> int:
        """Bytes up to the end of the highest tensor."""
        tensors = (a.end for a in self.allocations if a.purpose is Purpose.TENSOR)
        return max(tensors, default=0)

    @property
    def scratch_bytes(self) -> int:
        """Bytes that kernels' scratch adds on top of the tensors; scratch in a gap adds none."""
        return self.planned_peak_bytes - self.arena_bytes

    @property
    def fetches_input(self) -> bool:
        """Whether the model's input arrives row by row while the inference runs."""
        return any(isinstance(s, StreamSegment) and s.input_by_rows for s in self.segments)

    def allocation(self, tensor_id: TensorId) -> Allocation:
        """Return where a tensor lies when it is written."""
        return next(a for a in self.allocations if tensor_id in a.tensors)

    def scratch(self, segment: int) -> Allocation | None:
        """Return the scratch of a segment, if it has any."""
        return next(
            (a for a in self.allocations if a.purpose is Purpose.SCRATCH and a.first == segment),
            None,
        )

    def workspace(self, segment: int) -> Allocation | None:
        """Return the workspace of a fused segment, if it has any."""
        return next(
            (a for a in self.allocations if a.purpose is Purpose.WORKSPACE and a.first == segment),
            None,
        )

    def live_bytes(self) -> tuple[int, ...]:
        """Return, for each segment, the bytes that are alive while it runs."""
        return tuple(
            sum(a.size_bytes for a in self.allocations if a.first <= s <= a.last)
            for s in range(len(self.segments))
        )
