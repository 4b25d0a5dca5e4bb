"""What is written is read back as it was."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.importer.tflite import read_tflite
from harness.ir import Graph
from harness.ir.compact import compact
from harness.ir.text import dump
from harness.models.writer import write_tflite
from tests.strategies import op_graphs, random_graphs


@given(st.one_of(op_graphs(), random_graphs()))
@settings(max_examples=80)
def test_round_trip(graph: Graph) -> None:
    read = read_tflite(write_tflite(graph), name=graph.name)
    positions = [replace(op, index=i) for i, op in enumerate(graph.ops)]
    expected = compact(replace(graph, ops=tuple(positions), sha256=read.sha256))
    assert dump(read) == dump(expected)
