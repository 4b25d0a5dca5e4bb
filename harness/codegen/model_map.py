"""``model_map.h``: where every tensor lies in the arena, as macros."""

from __future__ import annotations

from collections.abc import Mapping

from harness.codegen.c_text import identifiers, shape_text
from harness.ir import TensorId
from harness.schedule.plan import Allocation, Plan, Purpose

_TEMPLATE = """\
{banner}#ifndef BENCH_MODEL_MAP_H
#define BENCH_MODEL_MAP_H

#define ARENA_BYTES {arena_bytes}

/* Byte offsets in the arena, and while which ops the bytes are taken. */
{offsets}
#endif
"""


def tensor_names(plan: Plan) -> dict[TensorId, str]:
    """Return a C identifier for each tensor."""
    names = identifiers(tensor.name for tensor in plan.graph.tensors)
    return {TensorId(i): name for i, name in enumerate(names)}


def tensor_macro(name: str) -> str:
    """Return the macro that holds the offset of a tensor."""
    return f"AT_{name.upper()}"


def scratch_macro(position: int) -> str:
    """Return the macro that holds the offset of an op's scratch."""
    return f"AT_SCRATCH_OF_OP_{position}"


def model_map(plan: Plan, names: Mapping[TensorId, str], banner: str) -> str:
    """Return ``model_map.h``."""
    rows = []
    for allocation in plan.allocations:
        lifetime = _lifetime(plan, allocation)
        if allocation.purpose is Purpose.SCRATCH:
            macro = scratch_macro(plan.segments[allocation.first].ops[0])
            rows.append((macro, allocation.offset, f"{allocation.size_bytes:,} B, {lifetime}"))
        for tensor_id in allocation.tensors:
            tensor = plan.graph.tensor(tensor_id)
            what = f"{tensor.dtype} {shape_text(tensor.shape)}, {tensor.size_bytes:,} B, {lifetime}"
            rows.append((tensor_macro(names[tensor_id]), allocation.offset, what))
    first_rows = {macro: (offset, what) for macro, offset, what in reversed(rows)}
    widest = max(map(len, first_rows), default=0)
    lines = [
        f"#define {macro:<{widest}} {offset}u /* {what} */\n"
        for macro, (offset, what) in reversed(first_rows.items())
    ]
    return _TEMPLATE.format(
        banner=banner, arena_bytes=max(plan.planned_peak_bytes, 1), offsets="".join(lines)
    )


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
