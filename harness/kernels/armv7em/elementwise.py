"""Addition, subtraction and multiplication for ARMv7E-M.

The sum of two scaled operands, rounded three times by the reference, is one linear function of
them with one rounding, if its constants are chosen well: all 65,536 pairs are tried, which proves
it. A product is an accumulator like any other; with a factor of its own for the whole tensor the
step of its short form is 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from itertools import product

import numpy as np

from harness.arithmetic import AddParameters, MulParameters, prepare_add, prepare_mul
from harness.arithmetic.fixed_point import INT32_MAX, INT32_MIN, Raw
from harness.ir import DType, Graph
from harness.ir.ops import BinaryOp, Mul, Sub
from harness.kernels import elementwise
from harness.kernels.call import Call, Fields, RowCall
from harness.kernels.short_form import MAX_SHIFT, Layer, prove
from harness.kernels.variant import RowVariant, Variant

_NAME = "armv7em"
_HEADER = "armv7em/elementwise.h"

ADD_SHIFT = 20
"""``ADD_SHORT_SHIFT``: leaves 11 bits for outputs before they are saturated."""

_TILTS = (0.0, *(sign * 2.0**-bits for bits in range(22, 16, -1) for sign in (1, -1)))
"""By how much factors are made steeper. The reference rounds halves away from zero; a line through
pairs that give exactly one half does so too if it is a little too steep."""

_VALUES = np.arange(-128, 128, dtype=np.int64)

_SHORTEST_RUN = 8
"""Elements in one piece from which on a call for them pays."""


def binary(graph: Graph, op: BinaryOp) -> Iterator[Variant]:
    """Yield the kernel of an element-wise op, if it is proved."""
    found = _short(graph, op)
    (portable,) = elementwise.binary(graph, op)
    shape = portable.parameters["shape"]
    if found is not None and isinstance(shape, dict) and _is_run(shape):
        function, parameters = found
        operands = portable.operands
        call = Call(_HEADER, function, f"{function}_t", {"shape": shape, **parameters}, operands)
        yield Variant(_NAME, lambda: (call,))


def binary_row(graph: Graph, op: BinaryOp) -> Iterator[RowVariant]:
    """Yield the kernel that makes a row, if it is proved."""
    for variant in binary(graph, op):
        yield RowVariant(_NAME, partial(_row_calls, variant))


def _row_calls(variant: Variant) -> tuple[RowCall, ...]:
    (call,) = variant.calls()
    name = f"{call.function}_row"
    return (RowCall(call.header, name, call.type, call.parameters, (0, 1)),)


def _is_run(shape: Fields) -> bool:
    """Whether both operands have enough neighbours along the last axis."""
    lengths, a_steps, b_steps = shape["length"], shape["a_step"], shape["b_step"]
    assert isinstance(lengths, tuple)
    assert isinstance(a_steps, tuple)
    assert isinstance(b_steps, tuple)
    return lengths[-1] >= _SHORTEST_RUN and a_steps[-1] == b_steps[-1] == 1


def _short(graph: Graph, op: BinaryOp) -> tuple[str, Fields] | None:
    """Return the kernel's name and its constants."""
    if any(graph.tensor(t).dtype is not DType.INT8 for t in (*op.inputs, *op.outputs)):
        return None
    if isinstance(op, Mul):
        multiplied = solve_mul(prepare_mul(graph, op))
        return None if multiplied is None else ("mul_short", multiplied)
    added = solve_add(prepare_add(graph, op), subtract=isinstance(op, Sub))
    return None if added is None else ("add_short", added)


@lru_cache(maxsize=256)  # planning asks for the variants of an op again and again
def solve_add(p: AddParameters, *, subtract: bool) -> Mapping[str, int] | None:
    """Return factors and addend that give what the reference gives for every pair of values."""
    if (p.low, p.high) != (-128, 127):
        return None
    sign = -1 if subtract else 1
    expected = elementwise.sums_of_pairs(p, sign)
    scale = p.output.real * 2.0 ** (p.left_shift + ADD_SHIFT + 8)
    exact = p.multipliers[0].real * scale, sign * p.multipliers[1].real * scale
    for tilts in product(_TILTS, repeat=2):
        a, b = (round(factor * (1 + tilt)) for factor, tilt in zip(exact, tilts, strict=True))
        if not all(INT32_MIN <= factor <= INT32_MAX for factor in (a, b)):
            return None
        line = (a * _VALUES >> 8)[:, None] + (b * _VALUES >> 8)
        addend = _addend(line, expected)
        if addend is not None:
            return {"a_factor": a, "b_factor": b, "addend": addend}
    return None


def _addend(line: Raw, expected: Raw) -> int | None:
    """Return what to add to a line so that its saturated integer part is as expected."""
    lowest = np.where(expected > -128, (expected << ADD_SHIFT) - line, INT32_MIN).max()
    highest = np.where(expected < 127, ((expected + 1) << ADD_SHIFT) - 1 - line, INT32_MAX).min()
    lowest, highest = max(lowest, INT32_MIN), min(highest, INT32_MAX)
    addend = (int(lowest) + int(highest)) // 2
    # The first product is added to the addend before the second, and neither sum may wrap.
    fits = max(abs(addend) + np.abs(line).max() * 2, 0) <= INT32_MAX
    return addend if lowest <= highest and fits else None


@lru_cache(maxsize=256)
def solve_mul(p: MulParameters) -> Mapping[str, int] | None:
    """Return the constants of a product's short form, if it is proved."""
    if (p.low, p.high) != (-128, 127) or not 1 <= p.output.right <= MAX_SHIFT:
        return None
    shift = p.output.right
    addend = (p.output_offset << shift) + (1 << (shift - 1))
    a, b = (np.array([-128, 127]) + offset for offset in p.offsets)
    products = np.outer(a, b)
    reach = products.min(keepdims=True)[0], products.max(keepdims=True)[0]
    multiplier, addends, offset, step = np.array([[p.output.multiplier], [addend], [0], [1]])
    solved = np.ones(1, np.bool_)
    layer = Layer(shift, multiplier, addends, offset, step, solved, clamps=False)
    if not prove(layer, (p.output,), p.output_offset, p.low, p.high, reach, scale=1).all():
        return None
    return {
        "a_zero": -p.offsets[0],
        "b_zero": -p.offsets[1],
        "multiplier": p.output.multiplier,
        "addend": addend,
        "shift": shift,
    }
