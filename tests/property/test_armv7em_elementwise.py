"""The constants of short element-wise ops give the reference's result for all pairs of values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.arithmetic import prepare_add, prepare_mul
from harness.ir import Graph
from harness.ir.ops import Add, BinaryOp, Mul, Sub
from harness.ir.tensor import Array
from harness.kernels.armv7em.elementwise import ADD_SHIFT, solve_add, solve_mul
from harness.reference.interpreter import run
from tests import strategies
from tests.graphs import GraphBuilder

A, B = (grid.ravel().astype(np.int8) for grid in np.mgrid[-128:128, -128:128])


def all_pairs(kind: type[BinaryOp], quantized: list[tuple[float, int]]) -> tuple[Graph, Array]:
    build = GraphBuilder()
    a, b = (build.input((1, 1 << 16), quantized=q) for q in quantized[:2])
    build.binary(kind, a, b, quantized=quantized[2])
    graph = build.graph()
    return graph, run(graph, [A[None], B[None]])[0][0]


scales = st.floats(0.02, 0.2)
three = st.lists(st.tuples(scales, strategies.zero_points), min_size=3, max_size=3)


@pytest.mark.parametrize("kind", [Add, Sub])
def test_sums(kind: type[BinaryOp]) -> None:
    proved = 0

    @given(three)
    def check(quantized: list[tuple[float, int]]) -> None:
        nonlocal proved
        graph, expected = all_pairs(kind, quantized)
        op = graph.ops[0]
        assert isinstance(op, Add | Sub)
        short = solve_add(prepare_add(graph, op), subtract=kind is Sub)
        if short is not None:
            proved += 1
            terms = (np.int64(short["a_factor"]) * A >> 8) + (np.int64(short["b_factor"]) * B >> 8)
            assert np.abs(terms + short["addend"]).max() < 1 << 31
            actual = np.clip((terms + short["addend"]) >> ADD_SHIFT, -128, 127)
            assert (actual == expected).all()

    check()
    assert proved > 50


def test_halves_of_equal_scales_have_a_tilt() -> None:
    graph, _ = all_pairs(Add, [(0.5, 0), (0.5, 0), (1.0, 0)])
    op = graph.ops[0]
    assert isinstance(op, Add)
    short = solve_add(prepare_add(graph, op), subtract=False)
    assert short is not None
    assert short["a_factor"] != 1 << 27


@given(three)
def test_products(quantized: list[tuple[float, int]]) -> None:
    graph, expected = all_pairs(Mul, quantized)
    op = graph.ops[0]
    assert isinstance(op, Mul)
    short = solve_mul(prepare_mul(graph, op))
    if short is not None:
        products = (A.astype(np.int64) - short["a_zero"]) * (B - np.int64(short["b_zero"])) * 2
        high = (products * short["multiplier"] + (1 << 31)) >> 32
        t = high + short["addend"] - (products < 0)
        assert (np.clip(t >> short["shift"], -128, 127) == expected).all()
