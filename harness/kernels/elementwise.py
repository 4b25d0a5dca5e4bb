"""Calls for addition, subtraction and multiplication, with broadcasting."""

from __future__ import annotations

import numpy as np

from harness.arithmetic import AddParameters, MulParameters, Multiplier, prepare_add, prepare_mul
from harness.arithmetic.fixed_point import Raw, rescale
from harness.ir import Graph
from harness.ir.ops import Add, BinaryOp, Mul, Sub
from harness.kernels.axes import Axis, joined, padded
from harness.kernels.call import Call, Fields, Operand, Role, RowCall, Y

_AXES = 4
"""``ELEMENTWISE_AXES``."""

_OPERANDS = (Operand(Role.INPUT, 0), Operand(Role.INPUT, 1), Y)


def binary(graph: Graph, op: BinaryOp) -> tuple[Call, ...]:
    """Return the call of an element-wise op; in place it is the same."""
    shape = _broadcast(graph, op)
    match op:
        case Add() | Sub():
            name, type_, parameters = op.kind.lower(), "add_t", _add(prepare_add(graph, op), shape)
        case Mul():
            name, type_, parameters = "mul", "mul_t", _mul(prepare_mul(graph, op), shape)
    return (Call("elementwise.h", name, type_, parameters, _OPERANDS),)


def binary_row(graph: Graph, op: BinaryOp) -> RowCall:
    """Return the call that makes a row of an element-wise op whose operands have its shape."""
    (call,) = binary(graph, op)
    return RowCall(call.header, f"{call.function}_row", call.type, call.parameters, (0, 1))


def factor(multiplier: Multiplier) -> Fields:
    """Return a ``factor_t``."""
    return {"multiplier": multiplier.multiplier, "shift": multiplier.shift}


def sums_of_pairs(p: AddParameters, sign: int) -> Raw:
    """Return the reference's output [256, 256] for all pairs of int8, from -128 upwards.

    ``sign`` is -1 for a subtraction.
    """
    values = np.arange(-128, 128, dtype=np.int64)
    a, b = (
        rescale((values + offset) << p.left_shift, factor)
        for offset, factor in zip(p.offsets, p.multipliers, strict=True)
    )
    total = rescale(a[:, None] + sign * b, p.output) + p.output_offset
    return np.clip(total, p.low, p.high)


def _add(p: AddParameters, shape: Fields) -> Fields:
    return {
        "shape": shape,
        "a_offset": p.offsets[0],
        "b_offset": p.offsets[1],
        "left_shift": p.left_shift,
        "a": factor(p.multipliers[0]),
        "b": factor(p.multipliers[1]),
        "sum": factor(p.output),
        "output": {"zero_point": p.output_offset, "low": p.low, "high": p.high},
    }


def _mul(p: MulParameters, shape: Fields) -> Fields:
    return {
        "shape": shape,
        "a_offset": p.offsets[0],
        "b_offset": p.offsets[1],
        "product": factor(p.output),
        "output": {"zero_point": p.output_offset, "low": p.low, "high": p.high},
    }


def _broadcast(graph: Graph, op: BinaryOp) -> Fields:
    """Return a ``broadcast_t``: the output's axes, joined where both operands move alike."""
    lengths = graph.tensor(op.outputs[0]).shape
    a, b = (_steps(graph.tensor(t).shape, len(lengths)) for t in op.inputs)
    axes = joined(Axis(*axis) for axis in zip(lengths, a, b, strict=True))
    axes = padded(axes, _AXES)
    return {
        "length": tuple(axis.length for axis in axes),
        "a_step": tuple(axis.x_step for axis in axes),
        "b_step": tuple(axis.y_step for axis in axes),
    }


def _steps(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Return by how many elements an operand moves on along each axis of the output."""
    steps, step = [0] * rank, 1
    for axis in range(1, len(shape) + 1):
        steps[-axis] = 0 if shape[-axis] == 1 else step
        step *= shape[-axis]
    return tuple(steps)
