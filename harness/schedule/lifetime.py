"""Lifetimes: which bytes are needed while which segments run.

The unit is the *block*: bytes that stay at one offset for as long as anything in them is needed.
A tensor is a block of its own, unless an op in place or an alias puts several tensors into the
same bytes; then they are one block with the union of their lifetimes. A block is cut into pieces
where it shrinks, since what a strided depthwise in place leaves over is free at once::

    segment      0   1   2   3   4
    expand       XXXXX
    depthwise        YYYYY            in place, half as large
    block        |  64   |  32  |     two pieces, one offset
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.ir import Graph, TensorId
from harness.kernels.kernel_set import KernelSet
from harness.kernels.library import scratch_bytes
from harness.schedule import takeover
from harness.schedule.packing import Overlap
from harness.schedule.plan import (
    AliasSegment,
    FusedSegment,
    InplaceSegment,
    LayerSegment,
    PatchSegment,
    Purpose,
    Segment,
    StreamSegment,
    align,
)
from harness.schedule.rings import workspace_bytes
from harness.schedule.stream import Streams


@dataclass(frozen=True, slots=True)
class Piece:
    """``size_bytes`` that hold ``tensors`` while segments ``first..last`` run."""

    tensors: tuple[TensorId, ...]
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes that stay at one offset: pieces that follow each other in time and never grow."""

    purpose: Purpose
    pieces: tuple[Piece, ...]

    @property
    def is_tensor(self) -> bool:
        """Whether tensors lie here, not scratch."""
        return self.purpose is Purpose.TENSOR

    @property
    def size_bytes(self) -> int:
        """Bytes of the largest piece."""
        return self.pieces[0].size_bytes

    @property
    def first(self) -> int:
        """The segment before which nothing of it is needed."""
        return self.pieces[0].first

    @property
    def last(self) -> int:
        """The segment after which nothing of it is needed."""
        return self.pieces[-1].last


def blocks(graph: Graph, kernels: KernelSet, segments: Sequence[Segment]) -> tuple[Block, ...]:
    """Return the blocks of a schedule, tensors before scratch, each in order of time."""
    lives = tensor_lives(graph, segments)
    tensors = (
        Block(Purpose.TENSOR, _pieces(graph, lives, group))
        for group in _sharing_groups(graph, segments, lives)
    )
    return (*tensors, *_scratch_blocks(graph, kernels, segments))


def tensor_lives(graph: Graph, segments: Sequence[Segment]) -> dict[TensorId, tuple[int, int]]:
    """Return, for each tensor that needs bytes, the first and last segment that it is alive in.

    An inner tensor of a fused segment is never whole and is not among them, nor is an input that is
    delivered by rows.
    """
    lives: dict[TensorId, tuple[int, int]] = dict.fromkeys(graph.inputs, (-1, -1))
    if segments and is_input_by_rows(segments[0]):
        lives.clear()
    for position, segment in enumerate(segments):
        for tensor_id in segment_reads(graph, segment):
            lives[tensor_id] = (lives[tensor_id][0], position)
        for tensor_id in segment_writes(graph, segment):
            lives[tensor_id] = (position, position)
    for tensor_id in graph.outputs:
        if tensor_id in lives:
            lives[tensor_id] = (lives[tensor_id][0], len(segments))
    return lives


def segment_reads(graph: Graph, segment: Segment) -> Iterator[TensorId]:
    """Yield the activations that a segment takes from outside."""
    ops = [graph.ops[i] for i in segment.ops]
    made_inside = {t for op in ops for t in op.outputs}
    if is_input_by_rows(segment):
        made_inside.update(graph.inputs)
    for tensor_id in dict.fromkeys(t for op in ops for t in op.inputs):
        if tensor_id not in made_inside and not graph.tensor(tensor_id).is_constant:
            yield tensor_id


def is_input_by_rows(segment: Segment) -> bool:
    """Whether the model's input is delivered row by row while a segment runs."""
    return isinstance(segment, StreamSegment) and segment.input_by_rows


def segment_writes(graph: Graph, segment: Segment) -> Iterator[TensorId]:
    """Yield the activations that a segment leaves behind, whole."""
    if len(segment.ops) == 1:
        yield from graph.ops[segment.ops.start].outputs
        return
    consumers = graph.consumers()
    for position in segment.ops:
        for tensor_id in graph.ops[position].outputs:
            readers = consumers.get(tensor_id, ())
            is_inner = readers and all(reader in segment.ops for reader in readers)
            if tensor_id in graph.outputs or not is_inner:
                yield tensor_id


def overlaps(
    streams: Streams, segments: Sequence[Segment], needed: Sequence[Block]
) -> tuple[Overlap, ...]:
    """Return which blocks may overlap: those of streams, and the operands that die in them."""
    graph = streams.fusion.graph
    found: list[Overlap] = []
    for position, segment in enumerate(segments):
        if not isinstance(segment, StreamSegment):
            continue
        output = _holding(needed, graph.ops[segment.last_op].outputs[0], position)
        reads = {t: _holding(needed, t, position) for t in segment_reads(graph, segment)}
        dying = {t: block for t, block in reads.items() if needed[block].last == position}
        workspace = next(
            (
                i
                for i, block in enumerate(needed)
                if block.purpose is Purpose.WORKSPACE and block.first == position
            ),
            None,
        )
        found.extend(streams.overlaps(segment, output, workspace, dying))
    return tuple(found)


def _holding(needed: Sequence[Block], tensor_id: TensorId, moment: int) -> int:
    """Return the block in which a tensor lies while a segment runs."""
    return next(
        i
        for i, block in enumerate(needed)
        if any(tensor_id in p.tensors and p.first <= moment <= p.last for p in block.pieces)
    )


def _sharing_groups(
    graph: Graph, segments: Sequence[Segment], lives: dict[TensorId, tuple[int, int]]
) -> list[list[TensorId]]:
    """Return tensors that lie in the same bytes, grouped, each group in order of writing."""
    groups: dict[TensorId, list[TensorId]] = {t: [t] for t in lives}
    for segment in segments:
        match segment:
            case InplaceSegment(op, operand):
                taken = graph.ops[op].inputs[operand]
            case AliasSegment(op):
                taken = graph.ops[op].inputs[0]
            case LayerSegment() | StreamSegment() | PatchSegment():
                continue
        group = groups[taken]
        group.append(graph.ops[op].outputs[0])
        groups[graph.ops[op].outputs[0]] = group
    return [group for tensor_id, group in groups.items() if group[0] == tensor_id]


def _pieces(
    graph: Graph, lives: dict[TensorId, tuple[int, int]], group: Sequence[TensorId]
) -> tuple[Piece, ...]:
    """Return the pieces of the bytes that a group of tensors shares."""
    changes = sorted({lives[t][0] for t in group} | {lives[t][1] + 1 for t in group})
    pieces: list[Piece] = []
    for first, end in pairwise(changes):
        alive = tuple(t for t in group if lives[t][0] <= first <= lives[t][1])
        size = align(max(graph.tensor(t).size_bytes for t in alive))
        if pieces and pieces[-1].size_bytes == size:
            before = pieces.pop()
            tensors = tuple(dict.fromkeys(before.tensors + alive))
            pieces.append(Piece(tensors, size, before.first, end - 1))
        else:
            pieces.append(Piece(alive, size, first, end - 1))
    return tuple(pieces)


def _scratch_blocks(
    graph: Graph, kernels: KernelSet, segments: Sequence[Segment]
) -> Iterator[Block]:
    """Yield the working memory of each segment that needs any: workspace, then scratch."""
    for position, segment in enumerate(segments):
        if isinstance(segment, FusedSegment):
            size = align(workspace_bytes(graph, segment))
            if size:
                yield Block(Purpose.WORKSPACE, (Piece((), size, position, position),))
        size = align(segment_scratch_bytes(graph, kernels, segment))
        if size:
            yield Block(Purpose.SCRATCH, (Piece((), size, position, position),))


def segment_scratch_bytes(graph: Graph, kernels: KernelSet, segment: Segment) -> int:
    """Return the bytes of scratch that the kernels of a segment need."""
    match segment:
        case LayerSegment(op):
            return scratch_bytes(kernels, graph, graph.ops[op], None)
        case InplaceSegment(op, operand):
            return scratch_bytes(kernels, graph, graph.ops[op], operand)
        case AliasSegment():
            return 0
        case StreamSegment() | PatchSegment():
            least = takeover.segment_scratch_bytes(kernels, graph, segment)
            return max(least, segment.scratch_bytes if isinstance(segment, StreamSegment) else 0)
