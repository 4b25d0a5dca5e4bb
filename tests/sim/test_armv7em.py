"""Convolutions with DSP instructions equal the reference for all shapes, weights and roundings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from harness.ir import Graph, TensorId
from harness.ir.ops import Padding
from harness.ir.tensor import constant
from harness.kernels.kernel_set import Isa, KernelSet
from harness.schedule.search import plan
from tests import strategies
from tests.graphs import GraphBuilder, Quantized
from tests.host_c import plans
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches

pytestmark = pytest.mark.qemu

BOARD = "mps2-an386"
KERNELS = KernelSet(Isa.ARMV7EM)


@st.composite
def convolutions(draw: st.DrawFn) -> Graph:
    """Draw a convolution with channels, kernels and factors as networks have them, and beyond."""
    build = GraphBuilder("conv", draw(strategies.seeds))
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    depth = draw(st.sampled_from([1, 2, 3, 4, 5, 8, 12, 31, 40]))
    channels = draw(st.sampled_from([1, 2, 3, 4, 7, 8, 16]))
    is_pointwise = draw(st.booleans())
    window = draw(plans.windows(size))
    x = build.input((1, *size, depth), quantized=draw(strategies.quantizations))
    kernel = (1, 1) if is_pointwise else window.kernel
    y = build.conv(
        x,
        channels,
        kernel,
        stride=(1, 1) if is_pointwise else window.stride,
        dilation=window.dilation,
        padding=Padding() if is_pointwise else window.padding,
        activation=draw(strategies.activations),
        weight_scales=draw(strategies.weight_scales(channels)),
        bias=draw(st.booleans()),
        quantized=draw(output_quantizations(math.prod(kernel) * depth)),
    )
    if draw(st.booleans()):
        _lower(build, y)
    return build.graph()


@st.composite
def output_quantizations(draw: st.DrawFn, taps: int) -> Quantized | None:
    """Draw an output scale from far too small, which saturates, to far too large; or a good one."""
    if draw(st.booleans()):
        return None
    return draw(strategies.quantizations)


def _lower(build: GraphBuilder, y: TensorId) -> None:
    """Put the lowest weight in places, which does not fit where two weights are packed."""
    op = next(op for op in build.ops if y in op.outputs)
    tensor = build.tensors[op.inputs[1]]
    assert tensor.data is not None
    data = np.where(build.rng.random(tensor.shape) < 0.1, -128, tensor.data).astype(np.int8)
    build.tensors[op.inputs[1]] = constant(tensor.name, data, tensor.quantization)


@pytest.mark.parametrize("schedule", ["layer", "inplace"])
def test_convolutions(schedule: str) -> None:
    @given(batches(convolutions(), 24))
    @settings(max_examples=3, phases=[Phase.generate], suppress_health_check=SLOW)
    def check(batch: Batch) -> None:
        assert_on_core(plan(batch.graph, schedule, kernels=KERNELS), BOARD)

    check()
