"""Calls of addition, subtraction and multiplication."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from itertools import product

import numpy as np

from harness.arithmetic import AddParameters, prepare_add, prepare_mul
from harness.arithmetic.fixed_point import INT32_MAX, INT32_MIN, Raw
from harness.ir import DType, Graph
from harness.ir.ops import BinaryOp, Mul, Sub
from harness.kernels import elementwise
from harness.kernels.call import Call, Fields, RowCall
from harness.kernels.elementwise import sums_of_pairs
from harness.kernels.variant import RowVariant, Variant

_NAME = "mve"
_HEADER = "mve/elementwise.h"

_ADD_SHIFT = 21
"""``MVE_ADD_SHIFT``: leaves 10 bits for outputs before they are saturated."""

_HALVES = (1 << 15) + (1 << 20)
"""What both narrowing shifts, by 16 and by 5, add before they cut."""

_NEIGHBOURS = sorted(product(range(-3, 4), repeat=2), key=lambda step: sum(map(abs, step)))
"""Steps from the nearest integers to other factors, the nearest first. With few of them a line
through pairs that give exactly one half rounds them as the reference does, away from zero."""

_VALUES = np.arange(-128, 128, dtype=np.int64)

_SHORTEST_RUN = 8
"""Elements in one piece from which on a call for them pays."""


def binary(graph: Graph, op: BinaryOp) -> Iterator[Variant]:
    """Yield the kernel of an element-wise op, if it is proved."""
    (call,) = elementwise.binary(graph, op)
    found = _constants(graph, op)
    shape = call.parameters["shape"]
    if found is not None and isinstance(shape, dict) and _has_runs(shape):
        function, constants = found
        parameters = {"shape": shape, **constants}
        yield Variant(_NAME, lambda: (_call(function, parameters, call),))


def binary_row(graph: Graph, op: BinaryOp) -> Iterator[RowVariant]:
    """Yield the kernel that makes a row, if it is proved."""
    for variant in binary(graph, op):
        yield RowVariant(_NAME, partial(_row_calls, variant))


def _call(function: str, parameters: Fields, portable: Call) -> Call:
    return Call(_HEADER, function, f"{function}_t", parameters, portable.operands)


def _row_calls(variant: Variant) -> tuple[RowCall, ...]:
    (call,) = variant.calls()
    return (RowCall(_HEADER, f"{call.function}_row", call.type, call.parameters, (0, 1)),)


def _has_runs(shape: Fields) -> bool:
    """Whether both operands have enough neighbours along the last axis."""
    lengths, a_steps, b_steps = shape["length"], shape["a_step"], shape["b_step"]
    assert isinstance(lengths, tuple)
    assert isinstance(a_steps, tuple)
    assert isinstance(b_steps, tuple)
    return lengths[-1] >= _SHORTEST_RUN and a_steps[-1] == b_steps[-1] == 1


def _constants(graph: Graph, op: BinaryOp) -> tuple[str, Fields] | None:
    """Return the kernel's name and its constants."""
    if any(graph.tensor(t).dtype is not DType.INT8 for t in (*op.inputs, *op.outputs)):
        return None
    if isinstance(op, Mul):
        p = prepare_mul(graph, op)
        fields: Fields = {
            "a_offset": p.offsets[0],
            "b_offset": p.offsets[1],
            "multiplier": p.output.multiplier,
            "shift": p.output.shift,
            "output": {"zero_point": p.output_offset, "low": p.low, "high": p.high},
        }
        return ("mve_mul", fields) if p.output.shift < 0 else None
    added = solve_add(prepare_add(graph, op), -1 if isinstance(op, Sub) else 1)
    return None if added is None else ("mve_add", added)


@cache
def solve_add(p: AddParameters, sign: int) -> Fields | None:
    """Return constants that give what the reference gives for every pair of values."""
    expected = sums_of_pairs(p, sign)
    scale = p.output.real * 2.0 ** (p.left_shift + _ADD_SHIFT)
    exact = p.multipliers[0].real * scale, sign * p.multipliers[1].real * scale
    for steps in _NEIGHBOURS:
        a, b = (round(factor) + step for factor, step in zip(exact, steps, strict=True))
        addend = _addend((a * _VALUES)[:, None] + b * _VALUES, expected, p)
        if addend is not None:
            return {
                "a_factor": a,
                "b_factor": b,
                "addend": addend,
                "low": p.low << _ADD_SHIFT,
                "high": p.high << _ADD_SHIFT,
                "clamps": int((p.low, p.high) != (-128, 127)),
            }
    return None


def _addend(line: Raw, expected: Raw, p: AddParameters) -> int | None:
    """Return what to add to a line so that its clamped and rounded integer part is as expected."""
    lowest = np.where(expected > p.low, (expected << _ADD_SHIFT) - line, INT32_MIN).max()
    least_above = (expected + 1) << _ADD_SHIFT
    highest = np.where(expected < p.high, least_above - 1 - line, INT32_MAX).min()
    lowest, highest = max(lowest, INT32_MIN), min(highest, INT32_MAX)
    addend = (int(lowest) + int(highest)) // 2 - _HALVES
    # Neither the sum nor a part of it may wrap.
    fits = abs(addend) + int(np.abs(line).max()) <= INT32_MAX
    return addend if lowest <= highest and fits else None
