"""Winograd's tiles: equal to the convolution, in the bits that the kernel has, where they pay."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from harness.ir import Graph
from harness.ir.ops import Conv2D
from harness.ir.tensor import constant
from harness.kernels import library
from harness.kernels.armv7em import winograd
from harness.kernels.cost import instructions
from harness.kernels.kernel_set import Isa, KernelSet
from harness.schedule.search import plan
from harness.schedule.work import estimated_instructions
from tests.graphs import GraphBuilder

FEWEST = KernelSet(Isa.ARMV7EM, "instructions")

_CELLS = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
_SUMS = np.array([[1, 1, 1, 0], [0, 1, -1, 1]])
"""B' and A' of arXiv:1509.09308, section 4.1, but for the sign that the weights have."""


def conv_graph(size: tuple[int, int], depth: int, channels: int) -> Graph:
    build = GraphBuilder()
    build.conv(build.input((1, *size, depth)), channels)
    return build.graph()


def chosen(kernels: KernelSet, graph: Graph) -> str:
    return library.variant(kernels, graph, graph.ops[0], None).name


def test_tiles_are_the_convolution_times_four() -> None:
    rng = np.random.default_rng(1)
    weights = rng.integers(-128, 128, (2, 3, 3, 4), np.int8)
    cells = rng.integers(-128, 128, (4, 4, 4))
    values = np.einsum("ik,kld,jl->ijd", _CELLS, cells, _CELLS)
    products = (winograd.transformed(weights) * _in_order(values)).sum(axis=3)
    for channel, up, right in product(range(2), range(2), range(2)):
        window = cells[up : up + 3, right : right + 3]
        in_place = _in_order(products[channel, :, :, None], back=True)[:, :, 0]
        assert (_SUMS @ in_place @ _SUMS.T)[up, right] == 4 * (weights[channel] * window).sum()


def _in_order(values: np.ndarray, *, back: bool = False) -> np.ndarray:
    order = np.argsort((1, 2, 0, 3)) if back else [1, 2, 0, 3]
    return values[order][:, order]


@pytest.mark.parametrize("extreme", [-128, 127])
def test_weights_fit_16_bits(extreme: int) -> None:
    signs = np.array([[1, -1, 1], [-1, 1, -1], [1, -1, 1]])
    for pattern in (np.ones((3, 3)), signs):
        weights = np.clip(extreme * pattern, -128, 127).astype(np.int8).reshape(1, 3, 3, 1)
        assert np.abs(winograd.transformed(weights)).max() <= 9 * 128 < 1 << 15


def test_only_who_asks_for_the_fewest_instructions_pays_the_flash() -> None:
    graph = conv_graph((16, 16), 16, 16)
    assert chosen(FEWEST, graph) == "armv7em winograd"
    for optimize in ("cycles", "size"):
        assert chosen(KernelSet(Isa.ARMV7EM, optimize), graph) == "armv7em"


@pytest.mark.parametrize(
    ("size", "depth", "channels"),
    [
        *(((1, 1), 32, 32), ((1, 4), 32, 32), ((3, 3), 64, 64), ((8, 8), 8, 2)),
        *(((8, 8), 6, 8), ((8, 8), 16, 1)),
    ],
)
def test_shapes_that_do_not_pay_or_do_not_fit_are_gathered(
    size: tuple[int, int], depth: int, channels: int
) -> None:
    assert "winograd" not in chosen(FEWEST, conv_graph(size, depth, channels))


@pytest.mark.parametrize(("bias", "fits"), [(1 << 28, True), (1 << 29, False)])
def test_sums_have_two_bits_less_room(bias: int, fits: bool) -> None:
    build = GraphBuilder()
    build.conv(build.input((1, 16, 16, 16)), 16)
    (op,) = build.ops
    assert isinstance(op, Conv2D)
    tensor = build.tensors[op.inputs[2]]
    data = np.array([bias] + [0] * 15, np.int32)
    build.tensors[op.inputs[2]] = constant(tensor.name, data, tensor.quantization)
    assert winograd.is_supported(build.graph(), op) == fits


def test_a_plan_costs_what_the_chosen_variant_does() -> None:
    graph = conv_graph((16, 16), 16, 16)
    (op,) = graph.ops
    assert isinstance(op, Conv2D)
    made = plan(graph, "layer", kernels=FEWEST)
    assert estimated_instructions(made) == winograd.instructions(graph, op)
    assert estimated_instructions(made) < instructions(FEWEST, graph, op, None)
