"""Patches: ops executed one after the other on a patch, for one patch after the other.

The rows that a patch wants of each tensor depend only on where it lies from top to bottom, the
columns only on where it lies from left to right: so two small tables tell it for all patches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.codegen.c_text import shape_text
from harness.codegen.fused import Fused, Spans
from harness.codegen.op_text import comment
from harness.codegen.step import Step
from harness.codegen.weights import Weights
from harness.ir import TensorId
from harness.schedule.geometry import Axis, evenly, length, tile
from harness.schedule.plan import PatchSegment, Plan


def patch_segment(
    plan: Plan,
    number: int,
    segment: PatchSegment,
    names: Mapping[TensorId, str],
    weights: Weights,
) -> Step:
    """Return the step of a segment that goes patch by patch."""
    fused = Fused(plan, number, segment, names, weights, is_cut=True)
    text = "\n".join(_Patches(fused, segment).lines()) + "\n"
    return Step(fused.function, text, fused.headers(), segment.last_op)


@dataclass(frozen=True, slots=True)
class _Patches:
    fused: Fused
    segment: PatchSegment

    @property
    def prefix(self) -> str:
        return self.fused.prefix

    def lines(self) -> Iterator[str]:
        """Yield the functions of the segment."""
        yield from self._comment()
        yield from self._state()
        for position in self.segment.ops:
            yield from self.fused.row_function(position)
            yield from self._tile(position)
        yield from self._step()

    def _tiles(self, axis: Axis) -> list[Spans]:
        graph = self.fused.graph
        parts = self.segment.grid[0 if axis is Axis.ROWS else 1]
        spans = evenly(length(graph, self.fused.output, axis), parts)
        return [tile(graph, self.segment.ops, axis, span) for span in spans]

    def _comment(self) -> list[str]:
        (down, across), segment = self.segment.grid, self.segment
        shape = shape_text(self.fused.graph.tensor(self.fused.output).shape)
        rows, columns = self._tiles(Axis.ROWS), self._tiles(Axis.COLUMNS)
        macs = self.fused.executed_macs((r, c) for r in rows for c in columns)
        return comment(
            f"Segment {self.fused.number}: ops {segment.first_op}..{segment.last_op}, patch by "
            f"patch to {shape}, in {down} x {across} patches. Each op makes the tile of its output "
            f"that the patch depends on. Halos are computed more than once: {macs:.3f} times the "
            "MACs."
        )

    def _state(self) -> Iterator[str]:
        yield from self.fused.spans_type()
        yield ""
        yield "/* The rows of each op's output that a patch wants, from top to bottom. */"
        yield from self.fused.spans_table("rows", self._tiles(Axis.ROWS))
        yield ""
        yield "/* The columns, from left to right. */"
        yield from self.fused.spans_table("columns", self._tiles(Axis.COLUMNS))
        yield ""
        yield "/* The patch that is being made. */"
        yield "static struct {"
        yield f"    const {self.prefix}_spans_t *rows, *columns;"
        yield f"}} {self.prefix};"
        yield ""

    def _tile(self, position: int) -> Iterator[str]:
        yield f"static STEP void {self.prefix}_op_{position}_tile(void)"
        yield "{"
        yield f"    const span_t rows = {self.prefix}.rows->op_{position};"
        yield "    for (int32_t row = rows.first; row < rows.last; row++) {"
        yield f"        {self.fused.row_statement(position, 'row')}"
        yield "    }"
        yield "}"
        yield ""

    def _step(self) -> Iterator[str]:
        down, across = self.segment.grid
        yield f"static STEP void {self.fused.function}(void)"
        yield "{"
        yield f"    for (int32_t patch = 0; patch < {down * across}; patch++) {{"
        yield f"        {self.prefix}.rows = &{self.prefix}_rows[patch / {across}];"
        yield f"        {self.prefix}.columns = &{self.prefix}_columns[patch % {across}];"
        for position in self.segment.ops:
            yield f"        {self.prefix}_op_{position}_tile();"
        yield "    }"
        yield "}"
