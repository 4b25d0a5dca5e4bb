"""Schedules: which ops run in place, how long tensors live, and what comes of it in bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.importer.tflite import read_tflite
from harness.ir import DType
from harness.ir.ops import Add
from harness.kernels.kernel_set import PORTABLE
from harness.passes.pipeline import run_passes
from harness.passes.selection import select_passes
from harness.schedule.lifetime import blocks, tensor_lives
from harness.schedule.plan import InplaceSegment, LayerSegment, Plan, Purpose, Segment
from harness.schedule.search import SCHEDULES, assemble, plan
from harness.schedule.verify import PlanFaultError
from tests.graphs import GraphBuilder, chain_graph, residual_graph


def kinds(made: Plan) -> list[str]:
    return [segment.kind for segment in made.segments]


def test_layer_does_nothing_in_place() -> None:
    assert kinds(plan(residual_graph(), "layer")) == ["layer"] * 5


def test_depthwise_and_add_run_in_place() -> None:
    made = plan(residual_graph(), "inplace")
    assert kinds(made) == ["layer", "layer", "inplace", "layer", "inplace"]
    expanded, depthwise = (made.graph.ops[i].outputs[0] for i in (1, 2))
    assert made.allocation(expanded) is made.allocation(depthwise)


def test_peak_is_what_the_widest_op_needs() -> None:
    layer, inplace = (plan(residual_graph(), name) for name in ("layer", "inplace"))
    block_input, expanded, ring = 8 * 8 * 4, 8 * 8 * 24, 3 * 10
    assert layer.planned_peak_bytes == block_input + 2 * expanded
    # The ring of one channel fits beside the input; the peak is the projection's.
    assert ring < block_input
    assert inplace.planned_peak_bytes == 2 * block_input + expanded


def test_reshape_is_an_alias_in_every_schedule() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 4, 4, 2)), 3)
    flat = build.reshape(x, 1, -1)
    build.fully_connected(flat, 2)
    for name in SCHEDULES:
        made = plan(build.graph(), name)
        assert kinds(made)[1] == "alias"
        assert made.allocation(x) is made.allocation(flat)


def test_operand_needed_later_is_not_overwritten() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 6, 6, 4)), 4)
    y = build.depthwise(x)
    build.binary(Add, x, y)
    assert kinds(plan(build.graph())) == ["layer", "layer", "inplace"]


def test_operand_needed_later_under_another_name_is_not_overwritten() -> None:
    build = GraphBuilder()
    x = build.input((1, 4, 4, 2))
    y = build.logistic(x)
    other_name = build.reshape(x, 1, 32)
    graph = build.graph(y, other_name)
    assert kinds(plan(graph)) == ["layer", "alias"]


def test_operand_read_twice_is_overwritten_only_under_one_name() -> None:
    build = GraphBuilder()
    x = build.input((1, 4))
    doubled = build.binary(Add, x, x)
    build.binary(Add, doubled, build.reshape(doubled, 4))
    assert kinds(plan(build.graph())) == ["inplace", "alias", "layer"]


def test_model_output_is_not_overwritten() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 6, 6, 4)), 4)
    y = build.depthwise(x)
    made = plan(build.graph(x, y))
    assert kinds(made) == ["layer", "layer"]
    assert all(made.allocation(t).last == len(made.segments) for t in (x, y))


def test_model_input_may_be_overwritten() -> None:
    build = GraphBuilder()
    build.logistic(build.input((1, 10)))
    made = plan(build.graph())
    assert kinds(made) == ["inplace"]
    assert made.planned_peak_bytes == 12  # 10 bytes in whole words


def test_strided_depthwise_in_place_frees_what_it_leaves_over() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 8, 8, 1)), 8, (1, 1))
    y = build.depthwise(x, stride=(2, 2))
    build.conv(y, 40, (1, 1))
    made = plan(build.graph())
    holding = [a for a in made.allocations if y in a.tensors]
    assert [a.size_bytes for a in holding] == [8 * 8 * 8, 4 * 4 * 8]
    assert len({a.offset for a in holding}) == 1
    assert made.planned_peak_bytes == 4 * 4 * (8 + 40)


def test_quantize_narrows_in_place() -> None:
    build = GraphBuilder()
    build.quantize(build.input((1, 10), DType.FLOAT32, None), (0.1, 0))
    made = plan(build.graph())
    assert kinds(made) == ["inplace"]
    assert made.planned_peak_bytes == 40


def test_in_place_is_not_taken_when_its_scratch_costs_more_than_the_output() -> None:
    build = GraphBuilder()
    build.depthwise(build.input((1, 2, 2, 1)), (7, 7))
    assert kinds(plan(build.graph())) == ["layer"]


def test_inputs_are_alive_before_the_first_segment_and_outputs_after_the_last() -> None:
    build = GraphBuilder()
    unused, x = build.input((1, 8)), build.input((1, 8))
    y = build.logistic(x)
    graph = build.graph(y, y, x)
    lives = tensor_lives(graph, plan(graph).segments)
    assert lives == {unused: (-1, -1), x: (-1, 1), y: (0, 1)}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_graph_without_ops_holds_its_input(schedule: str) -> None:
    build = GraphBuilder()
    x = build.input((1, 8))
    made = plan(build.graph(x), schedule, limit=8)
    assert made.planned_peak_bytes == 8
    assert (made.allocation(x).first, made.allocation(x).last) == (-1, 0)


def test_constants_take_no_bytes_of_the_arena() -> None:
    made = plan(chain_graph())
    placed = {t for a in made.allocations for t in a.tensors}
    assert not any(made.graph.tensor(t).is_constant for t in placed)


def test_op_with_several_outputs_keeps_even_those_that_nobody_reads() -> None:
    build = GraphBuilder()
    parts = build.split(build.input((1, 2, 2, 6)), 3, 3)
    graph = build.graph(build.logistic(parts[1]))
    assert all(plan(graph).allocation(part).size_bytes == 8 for part in parts)


def test_types_wider_than_a_byte_count_in_bytes() -> None:
    build = GraphBuilder()
    build.quantize(build.input((1, 10), DType.FLOAT32, None), (0.1, 0))
    assert plan(build.graph(), "layer").planned_peak_bytes == 40 + 12


def test_scratch_belongs_to_one_segment() -> None:
    graph = residual_graph()
    scratch = [b for b in blocks(graph, PORTABLE, plan(graph).segments) if not b.is_tensor]
    assert [(b.purpose, b.first, b.last) for b in scratch] == [(Purpose.SCRATCH, 2, 2)]


def test_unknown_schedule_proposes_near_names() -> None:
    with pytest.raises(UsageError, match="no schedule is called 'inplce'") as caught:
        plan(residual_graph(), "inplce")
    assert caught.value.hint == "did you mean inplace?"


def test_no_plan_leaves_without_having_been_replayed() -> None:
    graph = residual_graph()
    segments: list[Segment] = [LayerSegment(op) for op in range(5)]
    segments[4] = InplaceSegment(4, 0)
    assert kinds(assemble(graph, "by hand", segments))[-1] == "inplace"
    segments[1] = InplaceSegment(1, 0)
    with pytest.raises(PlanFaultError, match=r"op 1 .* cannot be done in place"):
        assemble(graph, "by hand", segments)


def test_plan_is_the_same_every_time() -> None:
    graph = residual_graph()
    assert plan(graph).allocations == plan(graph).allocations


def test_real_models_need_their_analytic_peak(models_dir: Path) -> None:
    """The most bytes alive in any op when depthwise and element-wise ops are in place.

    That is of the architecture as published: with all its channels.
    """
    expected = {
        "mcunet_vww0_10fps": 57_344,
        "mcunet_vww1_5fps": 89_600,
        "mcunet_in0_10fps": 46_080,
        "mcunet_in2_256kb_1mb": 204_800,
        "mcunet_in3_320kb_1mb": 247_808,
        "mcunet_mbv2_w035_r144": 290_304,
        "mcunet_proxyless_w03_r176": 247_808,
        "arm_mobilenet_v2_1.0_224": 1_404_928,
    }
    found = {}
    for name in expected:
        path = next(models_dir.rglob(f"{name}.tflite"))
        graph = read_tflite(path.read_bytes(), name=name)
        graph = run_passes(graph, select_passes("-remove-constant-channels"))
        found[name] = plan(graph).planned_peak_bytes
    assert found == expected
