"""The kernels of each core, on that core, equal the reference for shapes that hypothesis draws."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings

from harness.ir import Graph
from harness.ir.ops import Padding
from harness.schedule.search import plan
from tests import strategies
from tests.graphs import GraphBuilder
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches, instructions

pytestmark = pytest.mark.qemu


@given(batches(strategies.conv_graphs(), 16))
@settings(max_examples=2, phases=[Phase.generate], suppress_health_check=SLOW)
def test_convolutions(batch: Batch) -> None:
    assert_on_core(plan(batch.graph, "layer"), "mps2-an386")


def one_conv(channels: int) -> Graph:
    build = GraphBuilder()
    build.conv(build.input((1, 4, 4, 8)), channels, (1, 1), padding=Padding())
    return build.graph()


def test_instructions_of_each_step_are_counted() -> None:
    small, large = instructions(plan(Batch([one_conv(4), one_conv(8)]).graph), "mps2-an386")
    assert 16 * 4 * 8 < small < large < 100 * small
