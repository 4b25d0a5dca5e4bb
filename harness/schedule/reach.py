"""Reach: how far what a stream writes may lie inside of what it no longer needs.

An operand from outside dies row by row, from low addresses to high ones; the output grows the same
way; rings are born and die in the order of their ops. So the output may begin below a dying operand
and grow into it (DMO, arXiv:2010.01668; vMCU), the workspace may begin below it too, as far as its
first rows are dead when the last rings come to life, and the output's last rows may lie where the
first rings died. Each is one distance between two blocks of bytes, found by comparing each moment
of writing with the oldest byte needed then or later.
"""

from __future__ import annotations

import numpy as np

from harness.ir import TensorId
from harness.schedule.geometry import is_elementwise, pixel_bytes, row_bytes, sums_bytes
from harness.schedule.plan import StreamSegment, align
from harness.schedule.sweep import Sweep, Times


def output_below_operand(sweep: Sweep, first: int, tensor: TensorId) -> int:
    """Return how many bytes an operand must begin above the output of ops ``first..``."""
    graph, last = sweep.fusion.graph, sweep.end - 1
    output = graph.ops[last].outputs[0]
    ends = (np.arange(len(sweep.written[last])) + 1) * row_bytes(graph, output)
    return _distance(sweep, first, tensor, sweep.written[last], ends, writer=last)


def output_below_workspace(sweep: Sweep, segment: StreamSegment, size_bytes: int) -> int:
    """Return how many bytes the workspace must begin above the output."""
    graph, written = sweep.fusion.graph, sweep.written[sweep.end - 1]
    row = row_bytes(graph, graph.ops[segment.last_op].outputs[0])
    distance = -size_bytes
    for rows in segment.rows:
        # Output rows made while any row of this tensor is needed.
        made = int(np.searchsorted(written, sweep.death(rows.tensor), side="right"))
        if made:
            distance = max(distance, made * row - rows.offset)
    sums = sum(sums_bytes(graph, graph.ops[i]) for i in segment.ops)
    if sums:
        distance = max(distance, len(written) * row - (size_bytes - sums))
    return align(distance)


def workspace_below_operand(
    sweep: Sweep, segment: StreamSegment, size_bytes: int, tensor: TensorId
) -> int:
    """Return how many bytes an operand must begin above the workspace."""
    graph, distance = sweep.fusion.graph, -graph_bytes(sweep, tensor)
    columns = {rows.tensor: rows.columns for rows in segment.rows}
    for rows in segment.rows:
        moments = sweep.made(rows.tensor)
        slots = np.arange(len(moments)) * rows.pitch + rows.shift
        # Those that moved down lie where others have been.
        slots = (slots % rows.rows if segment.batch == 1 else slots.clip(max=rows.rows - 1)) + 1
        ends = rows.offset + slots * (columns[rows.owner] * pixel_bytes(graph, rows.tensor))
        distance = max(distance, _distance(sweep, segment.first_op, tensor, moments, ends))
    if any(sums_bytes(graph, graph.ops[i]) for i in segment.ops):
        distance = size_bytes
    return align(distance)


def most_shared(
    sweep: Sweep, first: int, tensors: tuple[TensorId, ...], *, input_by_rows: bool
) -> int:
    """Return an upper bound of the bytes that the workspace can share with output and operands.

    The ring at its lowest address dies first at best, the one at its highest begins last. What
    fills the output up to whole words can be shared too.
    """
    graph, written = sweep.fusion.graph, sweep.written[sweep.end - 1]
    inner = [graph.ops[i].outputs[0] for i in range(first, sweep.end - 1)]
    if input_by_rows and sweep.input is not None:
        inner.append(sweep.input)
    if not inner:
        return 0
    row = row_bytes(graph, graph.ops[sweep.end - 1].outputs[0])
    earliest = min(sweep.death(t) for t in inner)
    shared = row * (len(written) - int(np.searchsorted(written, earliest, side="right")))
    latest = np.array([max(sweep.made(t)[: sweep.ring_rows[t]][-1] for t in inner)])
    for tensor in tensors:
        shared -= _distance(sweep, first, tensor, latest, np.array([0]))
    return align(shared)


def graph_bytes(sweep: Sweep, tensor: TensorId) -> int:
    """Return the bytes of a whole tensor."""
    return sweep.fusion.graph.tensor(tensor).size_bytes


def _distance(
    sweep: Sweep,
    first: int,
    tensor: TensorId,
    moments: Times,
    ends: Times,
    *,
    writer: int | None = None,
) -> int:
    """Return the most that ends of what is written lie above the oldest byte needed.

    ``ends`` count from where the writing block begins, needed bytes from where the tensor begins.
    If they are of one op's rows, that is the ``writer``.
    """
    graph, distance = sweep.fusion.graph, -graph_bytes(sweep, tensor)
    for reader, times, firsts in sweep.reads_of(first, tensor):
        # The first read at or after each write; reads go down the image, never up.
        nexts = np.searchsorted(times, moments, side="left")
        is_read = nexts < len(times)
        if not is_read.any():
            continue
        oldest, row = firsts[nexts[is_read]], row_bytes(graph, tensor)
        gaps = ends[is_read] - oldest * row
        if reader == writer and is_elementwise(graph, graph.ops[reader]):
            # It has read each element that it writes over if its row begins no higher, so this row
            # counts as read.
            lead = row_bytes(graph, graph.ops[reader].outputs[0])
            gaps -= np.isin(moments[is_read], times) * min(lead, row)
        distance = max(distance, int(gaps.max()))
    return align(distance)
