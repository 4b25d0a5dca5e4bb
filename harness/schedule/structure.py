"""What makes a fused segment impossible, found for the verifier before anything is replayed."""

from __future__ import annotations

from collections.abc import Iterator

from harness.ir import Graph, TensorId
from harness.ir.tensor import short_name
from harness.schedule.plan import ALIGNMENT, FusedSegment, PatchSegment, Plan, StreamSegment
from harness.schedule.witness import (
    COLUMNS,
    Pair,
    extents,
    flows,
    goes_by_rows,
    is_read_by_pixel,
    is_summing,
    span_met,
    union,
)

SUM_BYTES = 4
"""Of each sum of an op that sums over all rows."""


def inner_tensors(graph: Graph, segment: FusedSegment) -> tuple[TensorId, ...]:
    """Return the tensors that are never whole: what all ops but the last make, a fetched input."""
    inner = tuple(t for i in segment.ops[:-1] for t in graph.ops[i].outputs)
    if isinstance(segment, StreamSegment) and segment.input_by_rows:
        return (graph.ops[segment.first_op].inputs[0], *inner)
    return inner


def structure_faults(plan: Plan, position: int, segment: FusedSegment) -> Iterator[str]:
    """Yield what makes a fused segment impossible, before anything is replayed."""
    graph, where = plan.graph, label(segment)
    if not segment.ops or segment.ops[0] < 0 or segment.ops[-1] >= len(graph.ops):
        yield f"{where} has no ops"
        return
    for i in segment.ops:
        if not goes_by_rows(graph, graph.ops[i]):
            yield f"{graph.label(i)} cannot go row by row"
            return
    yield from _inner_faults(graph, segment)
    yield from _workspace_faults(plan, position, segment)
    height, width, _ = extents(graph, graph.ops[segment.last_op].outputs[0])
    summing = [i for i in segment.ops if is_summing(graph, graph.ops[i])]
    match segment:
        case StreamSegment():
            if not 1 <= segment.stripes <= width:
                yield f"{where} cuts {width} columns into {segment.stripes} stripes"
            if segment.batch < 1 or (segment.batch > 1 and chunked(graph, segment)):
                yield f"{where} makes {segment.batch} rows at once, in chunks of columns"
            if len(summing) > 1:
                yield f"{where} has {len(summing)} ops that sum over all rows"
            if 1 <= segment.stripes <= width:
                yield from _chunk_faults(graph, segment)
        case PatchSegment(grid=(down, across)):
            if not (1 <= down <= height and 1 <= across <= width):
                yield f"{where} cuts {height} x {width} pixels into {down} x {across} patches"
            if summing:
                yield f"{graph.label(summing[0])} sums over all rows and cannot go by patches"


def _inner_faults(graph: Graph, segment: FusedSegment) -> Iterator[str]:
    """Yield inner tensors that somebody outside needs, or that have no rows."""
    where, consumers = label(segment), graph.consumers()
    inner = inner_tensors(graph, segment)
    for tensor_id in inner:
        name = short_name(graph.tensor(tensor_id).name)
        if any(reader not in segment.ops for reader in consumers.get(tensor_id, ())):
            yield f"'{name}' is read outside of {where} and is never whole"
        if tensor_id in graph.outputs:
            yield f"'{name}' is an output of the model and is never whole in {where}"
    kept = [rows.tensor for rows in segment.rows]
    if sorted(kept) != sorted(inner):
        yield f"{where} keeps rows of tensors {sorted(kept)} and needs those of {sorted(inner)}"
    if isinstance(segment, StreamSegment) and segment.input_by_rows:
        if graph.ops[segment.first_op].inputs[0] not in graph.inputs:
            yield f"{where} fetches the rows of what is no input of the model"
        if segment.stripes != 1:
            yield f"{where} fetches its input by rows, which come only once, in stripes"


def _chunk_faults(graph: Graph, segment: FusedSegment) -> Iterator[str]:
    """Yield neighbours that do not go through the columns in the same steps."""
    columns = {rows.tensor: rows.columns for rows in segment.rows}
    in_chunks, makers = chunked(graph, segment), graph.producers()
    for tensor_id in in_chunks:
        for before in graph.ops[makers[tensor_id]].inputs:
            if before in in_chunks and columns[before] != columns[tensor_id]:
                names = " and ".join(short_name(graph.tensor(t).name) for t in (before, tensor_id))
                yield (
                    f"{names} are made in chunks of {columns[before]} and {columns[tensor_id]} "
                    f"columns in {label(segment)}"
                )


def _workspace_faults(plan: Plan, position: int, segment: FusedSegment) -> Iterator[str]:
    """Yield rows and sums that reach out of the workspace."""
    graph, where = plan.graph, label(segment)
    workspace = plan.workspace(position)
    size = workspace.size_bytes if workspace else 0
    for rows in segment.rows:
        name = short_name(graph.tensor(rows.tensor).name)
        end = rows.offset + rows.rows * rows.columns * extents(graph, rows.tensor)[2]
        if rows.rows < 1 or rows.columns < 1:
            yield f"{where} keeps {rows.rows} x {rows.columns} pixels of '{name}'"
        elif not 0 <= rows.shift < rows.rows:
            yield f"'{name}' begins in slot {rows.shift} of {rows.rows} in {where}"
        elif rows.offset < 0 or rows.offset % ALIGNMENT:
            yield f"rows of '{name}' lie at {rows.offset}, not at a multiple of {ALIGNMENT} bytes"
        elif end > size:
            yield f"rows of '{name}' end at byte {end} of a workspace of {size} bytes in {where}"
    kept = {rows.tensor: rows for rows in segment.rows}
    for rows in segment.rows:
        owner = kept.get(rows.owner)
        if (
            owner is None
            or owner.over is not None
            or rows.pitch < 1
            or (rows.rows, rows.offset) != (owner.rows, owner.offset)
            or extents(graph, rows.tensor)[2] != extents(graph, owner.tensor)[2]
            or rows.columns > owner.columns
        ):
            name = short_name(graph.tensor(rows.tensor).name)
            yield f"'{name}' lies over rows that are elsewhere in {where}"
    for i in segment.ops:
        op = graph.ops[i]
        needed = SUM_BYTES * extents(graph, op.inputs[0])[2]
        if is_summing(graph, op) and needed > size:
            yield f"sums of {graph.label(i)} take {needed} bytes of a workspace of {size} bytes"


def label(segment: FusedSegment) -> str:
    """Return how a fused segment is named in messages: ``the stream of ops 0 to 4``."""
    return f"the {segment.kind} of ops {segment.first_op} to {segment.last_op}"


def touched(graph: Graph, segment: FusedSegment, axis: int, span: Pair) -> dict[TensorId, Pair]:
    """Return what each tensor that a segment makes contributes to ``span`` of its output."""
    output = graph.ops[segment.last_op].outputs[0]
    spans: dict[TensorId, Pair] = dict.fromkeys((*inner_tensors(graph, segment), output), (0, 0))
    spans[output] = span
    for op in (graph.ops[i] for i in reversed(segment.ops)):
        for tensor_id in flows(graph, op):
            if tensor_id in spans:
                met = span_met(graph, op, tensor_id, axis, spans[op.outputs[0]])
                spans[tensor_id] = union(spans[tensor_id], met)
    return spans


def columns_made(graph: Graph, segment: StreamSegment) -> Iterator[dict[TensorId, Pair]]:
    """Yield, for each stripe, the columns that are made of each tensor."""
    width = extents(graph, graph.ops[segment.last_op].outputs[0])[COLUMNS]
    for i in range(segment.stripes):
        stripe = i * width // segment.stripes, (i + 1) * width // segment.stripes
        made = touched(graph, segment, COLUMNS, stripe)
        if segment.stripes == 1:
            # Rows are made whole, even where the output does not depend on all of them.
            made = {t: (0, extents(graph, t)[COLUMNS]) for t in made}
        yield made


def chunked(graph: Graph, segment: FusedSegment) -> frozenset[TensorId]:
    """Return the tensors of a stream whose rows are made in chunks.

    They are kept in fewer columns than some stripe makes, and one op alone reads them, each pixel
    for the same pixel of its output.
    """
    if not isinstance(segment, StreamSegment):
        return frozenset()
    readers, makers = graph.consumers(), graph.producers()
    kept = {rows.tensor: rows.columns for rows in segment.rows if rows.tensor in makers}
    narrow = {
        tensor_id
        for made in columns_made(graph, segment)
        for tensor_id, columns in kept.items()
        if columns < made[tensor_id][1] - made[tensor_id][0]
    }
    return frozenset(
        tensor_id
        for tensor_id in narrow
        if len(readers[tensor_id]) == 1
        and is_read_by_pixel(graph, graph.ops[readers[tensor_id][0]], tensor_id)
    )
