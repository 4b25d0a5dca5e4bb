"""``model_map.h``: where every tensor lies in the arena, as macros."""

from __future__ import annotations

from collections.abc import Mapping

from harness.codegen.c_text import identifiers, shape_text
from harness.ir import TensorId
from harness.schedule.geometry import pixel_bytes, sums_bytes, sums_offset
from harness.schedule.plan import (
    Allocation,
    FusedSegment,
    PatchSegment,
    Plan,
    Purpose,
    StreamSegment,
)
from harness.schedule.rings import chunks

_TEMPLATE = """\
{banner}#ifndef BENCH_MODEL_MAP_H
#define BENCH_MODEL_MAP_H

#define ARENA_BYTES {arena_bytes}

/* Where tensors and scratch begin in the arena, and while which ops their bytes are taken. */
{offsets}
#endif
"""


def tensor_names(plan: Plan) -> dict[TensorId, str]:
    """Return a C identifier for each tensor that is not constant."""
    ids = list(dict.fromkeys(plan.graph.activations()))
    return dict(zip(ids, identifiers(plan.graph.tensor(t).name for t in ids), strict=True))


def tensor_macro(name: str) -> str:
    """Return the macro that holds the offset of a tensor."""
    return f"AT_{name.upper()}"


def scratch_macro(position: int) -> str:
    """Return the macro that holds the offset of the scratch of a segment that begins with an op."""
    return f"SCRATCH_OF_OP_{position}"


def rows_macro(name: str) -> str:
    """Return the macro that holds how many rows of a tensor are kept."""
    return f"ROWS_OF_{name.upper()}"


def columns_macro(name: str) -> str:
    """Return the macro that holds how many columns of a tensor are made at a time."""
    return f"COLUMNS_OF_{name.upper()}"


def sums_macro(position: int) -> str:
    """Return the macro that holds the offset of the sums of an op that sums over all rows."""
    return f"SUMS_OF_OP_{position}"


def model_map(plan: Plan, names: Mapping[TensorId, str], banner: str) -> str:
    """Return ``model_map.h``."""
    lines: dict[str, str] = {}
    for allocation in plan.allocations:
        lifetime = _lifetime(plan, allocation)
        if allocation.purpose is Purpose.SCRATCH:
            what = f"{allocation.size_bytes:,} bytes, {lifetime}"
            macro = scratch_macro(plan.segments[allocation.first].ops[0])
            lines[macro] = _define(what, macro, allocation.offset)
        if allocation.purpose is Purpose.WORKSPACE:
            segment = plan.segments[allocation.first]
            assert isinstance(segment, StreamSegment | PatchSegment), "it has a workspace"
            lines |= _workspace(plan, names, segment, allocation)
        for tensor_id in allocation.tensors:
            tensor = plan.graph.tensor(tensor_id)
            size = f"{tensor.size_bytes:,} bytes"
            what = f"{tensor.dtype} {shape_text(tensor.shape)}, {size}, {lifetime}"
            macro = tensor_macro(names[tensor_id])
            lines.setdefault(macro, _define(what, macro, allocation.offset))
    return _TEMPLATE.format(
        banner=banner,
        arena_bytes=max(plan.planned_peak_bytes, 1),
        offsets="".join(lines.values()),
    )


def _workspace(
    plan: Plan, names: Mapping[TensorId, str], segment: FusedSegment, workspace: Allocation
) -> dict[str, str]:
    """Return the macros of what a fused segment keeps of its inner tensors."""
    lines, lifetime = {}, _lifetime(plan, workspace)
    word = "tile" if isinstance(segment, PatchSegment) else "ring"
    in_chunks = () if isinstance(segment, PatchSegment) else chunks(plan.graph, segment)
    for kept in segment.rows:
        tensor = plan.graph.tensor(kept.tensor)
        channels = tensor.shape[-1] if len(tensor.shape) == 4 else tensor.elements
        shape = shape_text((kept.rows, kept.columns, channels))
        size = f"{kept.rows * kept.columns * pixel_bytes(plan.graph, kept.tensor):,} bytes"
        whole = f"{tensor.dtype} {shape_text(tensor.shape)}"
        held = "chunk" if kept.tensor in in_chunks else word
        what = f"{held} {shape} of {whole}, {size}, {lifetime}"
        name, offset = names[kept.tensor], workspace.offset + kept.offset
        count = f"#define {rows_macro(name)} {kept.rows}\n"
        if kept.tensor in in_chunks:
            count += f"#define {columns_macro(name)} {kept.columns}\n"
        lines[tensor_macro(name)] = _define(what, tensor_macro(name), offset) + count
    for position in segment.ops:
        if size_bytes := sums_bytes(plan.graph, plan.graph.ops[position]):
            what = f"sums int32 [{size_bytes // 4}], {size_bytes:,} bytes, {lifetime}"
            offset = workspace.offset + sums_offset(plan.graph, segment, workspace.size_bytes)
            lines[sums_macro(position)] = _define(what, sums_macro(position), offset)
    return lines


def _define(what: str, macro: str, offset: int) -> str:
    return f"\n/* {what} */\n#define {macro} {offset}u\n"


def _lifetime(plan: Plan, allocation: Allocation) -> str:
    """Return while which ops the bytes of an allocation are taken."""
    ops = [
        op for s in plan.segments[max(allocation.first, 0) : allocation.last + 1] for op in s.ops
    ]
    parts = [
        "before the first op" if allocation.first < 0 else "",
        f"op {ops[0]}" if len(ops) == 1 else f"ops {ops[0]}..{ops[-1]}" if ops else "",
        "after the last op" if allocation.last >= len(plan.segments) else "",
    ]
    return " and ".join(part for part in parts if part)
