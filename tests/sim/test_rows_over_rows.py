"""Streams for an emulated Cortex-M4 whose rows lie over dying ones equal the reference."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from harness.ir import Graph
from harness.ir.ops import Activation, Add, Padding
from harness.kernels.kernel_set import Isa, KernelSet
from harness.schedule.fusion import Fusion
from harness.schedule.plan import Plan, StreamSegment
from harness.schedule.search import assemble
from harness.schedule.stream import Cut, Streams
from tests import strategies
from tests.graphs import GraphBuilder
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches

pytestmark = pytest.mark.qemu

ARMV7EM = KernelSet(Isa.ARMV7EM)

STRIDES = st.sampled_from([(1, 1), (1, 1), (2, 2), (2, 1), (3, 2)])

KERNELS = st.sampled_from([(3, 3), (3, 3), (3, 3), (5, 5), (7, 7), (3, 1), (1, 3), (4, 2), (10, 1)])


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Draw depthwise convolutions that see all of their inputs, with ops between them."""
    build = GraphBuilder("network", draw(strategies.seeds))
    height, width = draw(st.integers(3, 17)), draw(st.integers(1, 9))
    channels = draw(st.integers(4, 11))
    x = build.input((1, height, width, draw(st.integers(1, 4))))
    x = build.conv(x, channels, draw(st.sampled_from([(1, 1), (3, 3)])))
    for _ in range(draw(st.integers(1, 4))):
        kernel, stride = draw(KERNELS), draw(STRIDES)
        top = draw(st.integers(0, kernel[0] - 1))
        left = (kernel[1] - 1) // 2
        around = Padding(top, kernel[0] - 1 - top, left, kernel[1] - 1 - left)
        quantized, activation = (0.05, -128), Activation.RELU
        if draw(st.booleans()):
            quantized, activation = draw(strategies.quantizations), Activation.NONE
        y = build.depthwise(
            x,
            kernel,
            stride=stride,
            padding=around,
            quantized=quantized,
            activation=activation,
        )
        match draw(st.integers(0, 4)):
            case 0:
                y = build.logistic(y)
            case 1 if stride == (1, 1):
                y = build.binary(Add, x, y)
            case 2:
                y = build.conv(build.conv(y, 3, (1, 1)), channels, (1, 1))
            case _:
                y = build.conv(y, channels, (1, 1))
        x = y
    if draw(st.booleans()):
        build.mean(x)
    return build.graph()


def streams(batch: Batch, data: st.DataObject) -> Plan:
    """Return a plan with a stream for each network of a batch."""
    graph, segments = batch.graph, list[StreamSegment]()
    made = Streams(Fusion(graph, ARMV7EM))
    while (first := segments[-1].last_op + 1 if segments else 0) < len(graph.ops):
        end = max(e for e, start in enumerate(made.fusion.starts) if start <= first < e)
        cut = Cut(batch=data.draw(st.integers(1, 7) | st.just(1)))
        segments.append(made.segment(first, end, cut=cut))
    return assemble(graph, "by hand", segments, ARMV7EM)


@given(batches(networks(), 20), st.data())
@settings(max_examples=4, phases=[Phase.generate], suppress_health_check=SLOW, deadline=None)
def test_rows_over_rows(batch: Batch, data: st.DataObject) -> None:
    made = streams(batch, data)
    over = [kept for s in made.segments for kept in getattr(s, "rows", ()) if kept.over is not None]
    assert over
    assert_on_core(made, "mps2-an386")
