"""Cortex-M0, M0+ and M3: every op is exact there, and their clocks count."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings

from harness.board.load import load_board
from harness.kernels.kernel_set import kernels_for
from harness.schedule.search import plan
from tests import strategies
from tests.graphs import GraphBuilder
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches, instructions

pytestmark = pytest.mark.qemu

few = settings(max_examples=1, phases=[Phase.generate], suppress_health_check=SLOW, deadline=None)


@pytest.mark.parametrize(
    ("board", "size"), [("microbit", 6), ("raspberry-pi-pico", 40), ("mps2-an385", 40)]
)
def test_ops_of_every_kind(board: str, size: int) -> None:
    kernels = kernels_for(load_board(board).core, "cycles")

    @given(batches(strategies.op_graphs(), size))
    @few
    def check(batch: Batch) -> None:
        assert_on_core(plan(batch.graph, "inplace", kernels=kernels), board)

    check()


def test_two_clocks_count_alike() -> None:
    """A timer of the nRF51 at 16 MHz and one of the CMSDK at 25 MHz see the same instructions."""
    build = GraphBuilder()
    build.depthwise(build.input((1, 9, 9, 8)))
    made = plan(Batch([build.graph()]).graph, "layer")
    (on_m0,), (on_m0plus,) = (instructions(made, b) for b in ("microbit", "raspberry-pi-pico"))
    assert on_m0 == on_m0plus
