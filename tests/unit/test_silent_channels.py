"""That channels which training killed cost the others nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.ir import Graph
from harness.ir.ops import Activation, Conv2D, DepthwiseConv2D
from harness.kernels.armv7em import convolution, depthwise
from harness.kernels.kernel_set import Isa, KernelSet
from harness.passes.silence_channels import silence_channels
from harness.reference.interpreter import run
from tests.graphs import GraphBuilder, random_inputs
from tests.property.test_constant_channels import kill_channels


def killed() -> Graph:
    """Return a pointwise and a depthwise convolution, some channels of which are constant."""
    build = GraphBuilder("killed")
    x = build.input((1, 6, 6, 16))
    x = build.conv(x, 32, (1, 1), activation=Activation.RELU, quantized=(0.05, -128))
    build.depthwise(x, activation=Activation.RELU, quantized=(0.05, -128))
    return kill_channels(build.graph(), 3)


def test_their_sums_are_small_and_their_scales_ordinary() -> None:
    before, after = killed(), silence_channels(killed())
    for old, new in zip(before.ops, after.ops, strict=True):
        scales = [
            graph.tensor(op.inputs[1]).quantization for graph, op in ((before, old), (after, new))
        ]
        assert min(scales[0].scales) < 1e-19 < 1e-4 < min(scales[1].scales)  # type: ignore[union-attr]
        bias = after.tensor(new.inputs[2]).data
        assert bias is not None
        assert np.abs(bias).max() < 1 << 20
    inputs = random_inputs(before)
    np.testing.assert_array_equal(run(before, inputs), run(after, inputs))


def test_silencing_twice_changes_nothing() -> None:
    once = silence_channels(killed())
    assert silence_channels(once).ops == once.ops


def test_kernels_round_them_like_the_rest() -> None:
    conv, dw = silence_channels(killed()).ops
    graph = silence_channels(killed())
    assert isinstance(conv, Conv2D)
    assert isinstance(dw, DepthwiseConv2D)
    pointwise: Any = (
        next(convolution.conv(graph, conv, None, KernelSet(Isa.ARMV7EM))).calls()[0].parameters
    )
    names = [part["block"].text for part in pointwise["filters"]["parts"].rows]
    assert len(names) == 1
    assert names[0].startswith("block_packed_brief_line")
    planes: Any = next(depthwise.variants(graph, dw, None)).calls()[0].parameters
    assert planes["op"]["exact"].text == "NULL"
