"""Inputs that a RESHAPE reads first arrive by the rows of what it makes."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import InputError
from harness.ir import Graph
from harness.ir.ops import Add
from harness.ir.verify import verify
from harness.passes.reshape_input import reshape_input
from harness.reference.interpreter import run
from harness.schedule.limits import can_come_by_rows
from harness.schedule.search import pareto, plan
from tests.graphs import GraphBuilder, random_inputs


def spectrogram(*, quantize: bool = False, branch: bool = False) -> Graph:
    """A sound as one long vector, which is an image of 12 x 6 to all but the first op."""
    build = GraphBuilder()
    vector = build.input((1, 144))
    x = build.quantize(vector, (0.1, 3)) if quantize else vector
    x = build.conv(build.reshape(x, 1, 12, 6, 2), 4, (3, 3))
    x = build.fully_connected(build.mean(x), 3)
    return build.graph(x, build.fully_connected(vector, 2)) if branch else build.graph(x)


@pytest.mark.parametrize("quantize", [False, True])
def test_the_rows_are_those_of_the_reshaped_image(quantize: bool) -> None:
    graph = spectrogram(quantize=quantize)
    arriving = reshape_input(graph)
    verify(arriving)
    assert [op.kind for op in arriving.ops] == [o.kind for o in graph.ops if o.kind != "RESHAPE"]
    assert arriving.tensor(arriving.inputs[0]).shape == (1, 12, 6, 2)
    inputs = random_inputs(graph)
    expected, found = run(graph, inputs), run(arriving, [inputs[0].reshape(1, 12, 6, 2)])
    np.testing.assert_array_equal(expected[0], found[0])

    assert can_come_by_rows(graph)
    for made in (plan(graph, "stream", input_by_rows=True), *pareto(graph, input_by_rows=True)):
        assert made.fetches_input
        assert not {t for a in made.allocations for t in a.tensors} & {*made.graph.inputs}


def test_an_input_that_others_read_too_keeps_its_shape() -> None:
    graph = spectrogram(branch=True)
    assert reshape_input(graph) is graph
    with pytest.raises(InputError, match=r"op 0 \(RESHAPE '.*'\) reads input '.*' \[1, 144\] as a"):
        plan(graph, "stream", input_by_rows=True)


def test_a_reshape_that_makes_the_output_stays() -> None:
    build = GraphBuilder()
    graph = build.graph(build.reshape(build.input((1, 16)), 1, 4, 4, 1))
    assert reshape_input(graph) is graph
    assert not can_come_by_rows(graph)


def test_two_inputs_do_not_arrive_by_rows() -> None:
    build = GraphBuilder()
    build.binary(Add, build.input((1, 4, 4, 1)), build.input((1, 4, 4, 1)))
    with pytest.raises(InputError, match="by rows: the model has 2 inputs"):
        plan(build.graph(), "stream", input_by_rows=True)
