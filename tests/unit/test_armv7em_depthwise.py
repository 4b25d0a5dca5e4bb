"""What constants a depthwise convolution has in flash on Armv7E-M."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.ir.ops import Activation
from harness.kernels import library
from harness.kernels.armv7em import depthwise
from harness.kernels.kernel_set import Isa, KernelSet
from tests.graphs import GraphBuilder

ARMV7EM = KernelSet(Isa.ARMV7EM)


def fields(kernel: tuple[int, int], *, compact: bool = False) -> Any:
    build = GraphBuilder()
    x = build.input((1, 24, 24, 8))
    build.depthwise(x, kernel, activation=Activation.RELU, quantized=(0.05, -128))
    graph = build.graph()
    (op,) = graph.ops
    variant = next(depthwise.variants(graph, op, None, compact=compact))  # type: ignore[arg-type]
    return variant.calls()[0].parameters


@pytest.mark.parametrize(
    ("kernel", "taps", "size"),
    [((5, 5), (10, 5), 25), ((7, 7), (22, 6), 50), ((6, 5), (20, 0), 40)],
)
def test_a_row_without_a_partner_takes_a_byte_a_tap(
    kernel: tuple[int, int], taps: tuple[int, int], size: int
) -> None:
    found = fields(kernel)
    assert tuple(found["packed"].values()) == taps
    assert found["weights_bytes"] == size
    assert found["weights"].data.nbytes == 8 * size


@pytest.mark.parametrize(("kernel", "order"), [(5, "02134"), (7, "0213465")])
def test_a_row_with_a_stride_takes_its_weights_line_by_line(kernel: int, order: str) -> None:
    build = GraphBuilder()
    x = build.input((1, 24, 24, 8))
    build.depthwise(x, (kernel, kernel), stride=(2, 2))
    graph = build.graph()
    (op,) = graph.ops
    for compact in (False, True):
        variant = next(depthwise.row_variants(graph, op, compact=compact))  # type: ignore[arg-type]
        (call,) = variant.calls()
        assert call.function == f"depthwise_{'pairs' if compact else 'columns'}_row"
        if not compact:
            found: Any = call.parameters["op"]
            data = graph.tensor(op.inputs[1]).data
            assert data is not None
            (weights,) = data
            lines = weights[:, [int(column) for column in order]]
            assert np.array_equal(found["weights"].data, lines.reshape(-1, 8).T)
            assert found["weights_bytes"] == kernel * kernel


def test_a_row_alone_takes_less_scratch_than_rows_together() -> None:
    build = GraphBuilder()
    build.depthwise(build.input((1, 12, 12, 8)), (5, 5), stride=(2, 2))
    graph = build.graph()
    (op,) = graph.ops
    *_, together, alone = library.row_scratch_wanted(ARMV7EM, graph, op)
    assert library.row_variant(ARMV7EM, graph, op, together).batch_calls
    assert not library.row_variant(ARMV7EM, graph, op, alone).batch_calls
    assert library.goes_in_batches(ARMV7EM, graph, op)
    assert library.row_scratch_over_operand(ARMV7EM, graph, op) == alone


def test_channels_share_an_addend() -> None:
    found = fields((5, 5))
    assert found["channels"].data.shape == (8, 2)
    assert isinstance(found["addend"], int)


def test_size_does_without_functions_for_3x3_alone() -> None:
    assert fields((3, 3))["op"]["weights"].data.nbytes == 8 * 9
    assert fields((3, 3), compact=True)["weights_bytes"] == 10
