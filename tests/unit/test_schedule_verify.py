"""The verifier says what is wrong with a plan, and has no quarrel with a sound one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.ir.ops import Add, Padding
from harness.schedule.plan import (
    AliasSegment,
    Allocation,
    InplaceSegment,
    LayerSegment,
    Plan,
    Purpose,
)
from harness.schedule.search import plan
from harness.schedule.verify import PlanFaultError, verify_plan
from tests.graphs import GraphBuilder, residual_graph


def changed(made: Plan, allocation: Allocation, **changes: Any) -> Plan:
    """Return a plan in which one allocation is different."""
    rest = (replace(a, **changes) if a is allocation else a for a in made.allocations)
    return replace(made, allocations=tuple(rest))


def holding(made: Plan, op: int) -> Allocation:
    """Return the allocation of an op's output."""
    return made.allocation(made.graph.ops[op].outputs[0])


def test_skip_tensor_that_is_overwritten_is_lost() -> None:
    made = plan(residual_graph(), "layer")
    skip, expanded = holding(made, 0), holding(made, 1)
    with pytest.raises(PlanFaultError, match=r"256 of 256 bytes of 'conv0_0' are lost in op 1"):
        verify_plan(changed(made, skip, offset=expanded.offset))


def test_overlap_of_one_word_is_told_to_the_byte() -> None:
    build = GraphBuilder()
    build.conv(build.input((1, 4, 4, 1)), 2, (1, 1))
    made = plan(build.graph())
    output = holding(made, 0)
    assert (output.offset, output.size_bytes) == (16, 32)
    with pytest.raises(PlanFaultError, match=r"4 of 16 bytes of 'x0' are lost .* byte 12"):
        verify_plan(changed(made, output, offset=12))


def test_offset_that_is_no_word_is_refused() -> None:
    made = plan(residual_graph())
    with pytest.raises(PlanFaultError, match="not at a multiple of 4 bytes"):
        verify_plan(changed(made, made.allocations[0], offset=made.allocations[0].offset + 1))


def test_allocation_that_is_too_small_is_refused() -> None:
    made = plan(residual_graph())
    with pytest.raises(PlanFaultError, match="is too small for 'conv0_0' of 256 bytes"):
        verify_plan(changed(made, holding(made, 0), size_bytes=252))


def test_lifetime_that_ends_too_early_is_refused() -> None:
    made = plan(residual_graph(), "layer")
    with pytest.raises(PlanFaultError, match=r"'conv0_0' is needed in segments \[4\]"):
        verify_plan(changed(made, holding(made, 0), last=3))


def test_output_must_survive_to_the_end() -> None:
    build = GraphBuilder()
    x = build.input((1, 8))
    first = build.logistic(x)
    made = plan(build.graph(first, build.softmax(build.tanh(x))), "layer")
    over = changed(made, holding(made, 0), offset=holding(made, 2).offset)
    with pytest.raises(PlanFaultError, match="'logistic0_0' are lost at the end"):
        verify_plan(over)


def test_scratch_over_an_operand_is_refused() -> None:
    made = plan(residual_graph())
    scratch = made.scratch(2)
    assert scratch is not None
    with pytest.raises(PlanFaultError, match="of 'conv1_0' are lost in op 2"):
        verify_plan(changed(made, scratch, offset=holding(made, 2).offset))


def test_too_little_scratch_is_refused() -> None:
    made = plan(residual_graph())
    scratch = made.scratch(2)
    assert scratch is not None
    with pytest.raises(PlanFaultError, match="has 28 bytes of scratch and needs 30"):
        verify_plan(changed(made, scratch, size_bytes=28))


def test_op_that_must_not_be_in_place_is_refused() -> None:
    build = GraphBuilder()
    x = build.input((1, 4, 4, 2))
    y = build.conv(x, 2)
    shared = Allocation(Purpose.TENSOR, (x, y), 0, 32, -1, 1)
    wrong = Plan(build.graph(), "inplace", (InplaceSegment(0, 0),), (shared,))
    with pytest.raises(PlanFaultError, match="cannot be done in place of input 0"):
        verify_plan(wrong)


def test_depthwise_whose_writing_overtakes_its_reading_is_refused() -> None:
    """Columns are padded: the first output row is longer than the one input row it has read."""
    build = GraphBuilder()
    x = build.input((1, 4, 2, 1))
    y = build.depthwise(x, (1, 1), stride=(2, 1), padding=Padding(left=1, right=1))
    shared = Allocation(Purpose.TENSOR, (x, y), 0, 8, -1, 1)
    ring = Allocation(Purpose.SCRATCH, (), 8, 8, 0, 0)
    wrong = Plan(build.graph(), "", (InplaceSegment(0, 0),), (shared, ring))
    with pytest.raises(PlanFaultError, match="cannot be done in place"):
        verify_plan(wrong)


def test_operand_overwritten_although_read_later_is_refused() -> None:
    build = GraphBuilder()
    x = build.input((1, 8))
    y = build.logistic(x)
    z = build.binary(Add, x, y)
    allocations = (
        Allocation(Purpose.TENSOR, (x, y), 0, 8, -1, 1),
        Allocation(Purpose.TENSOR, (z,), 8, 8, 1, 2),
    )
    wrong = Plan(build.graph(), "", (InplaceSegment(0, 0), LayerSegment(1)), allocations)
    with pytest.raises(PlanFaultError, match="8 of 8 bytes of 'x0' are lost in op 1"):
        verify_plan(wrong)


def test_alias_that_lies_elsewhere_is_refused() -> None:
    build = GraphBuilder()
    x = build.input((1, 8))
    y = build.reshape(x, 8)
    allocations = (
        Allocation(Purpose.TENSOR, (x,), 0, 8, -1, 0),
        Allocation(Purpose.TENSOR, (y,), 8, 8, 0, 1),
    )
    wrong = Plan(build.graph(), "", (AliasSegment(0),), allocations)
    with pytest.raises(PlanFaultError, match="'reshape0_0' are lost"):
        verify_plan(wrong)


def test_all_faults_of_the_order_come_at_once() -> None:
    made = plan(residual_graph(), "layer")
    first, second, *_, last = made.segments
    with pytest.raises(PlanFaultError) as caught:
        verify_plan(replace(made, segments=(second, first, last, last)))
    text = str(caught.value)
    assert "op 2 (DEPTHWISE_CONV_2D 'depthwise2_0') runs 0 times" in text
    assert "op 4 (ADD 'add4_0') runs 2 times" in text
    assert "op 1 (CONV_2D 'conv1_0') reads 'conv0_0' before it is written" in text


def test_tensor_without_bytes_is_refused() -> None:
    made = plan(residual_graph(), "layer")
    without = tuple(a for a in made.allocations if a is not holding(made, 1))
    with pytest.raises(PlanFaultError, match="'conv1_0' lies at no offset"):
        verify_plan(replace(made, allocations=without))
