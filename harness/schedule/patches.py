"""Patches: a first stage of ops that runs once for each patch of its output (MCUNetV2).

Walking backward from a patch, each op adds its halo, so tiles grow towards the input and neighbours
share more and more; what they share is computed again. Tiles are clipped at the tensor's borders:
padding is where the whole tensor has it and nowhere else. A tile is dead when its last reader ran,
so tiles of one patch share the workspace like tensors share the arena.
"""

from __future__ import annotations

from harness.ir import Graph, TensorId
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import (
    Axis,
    Span,
    evenly,
    is_elementwise,
    length,
    pixel_bytes,
    sums_all_rows,
    tile,
)
from harness.schedule.packer import pack
from harness.schedule.packing import Packing
from harness.schedule.plan import PatchSegment, Rows, align

Tiles = list[dict[TensorId, Span]]
"""For each part of the output, along one axis, what it depends on."""


class Patches:
    """The patch stages of a graph."""

    def __init__(self, fusion: Fusion) -> None:
        self._fusion = fusion
        self._tiles: dict[tuple[int, int, Axis, int], Tiles] = {}

    def ends(self, first: int) -> range:
        """Return where a stage that begins with op ``first`` may end, as a range of cuts."""
        fusion, graph = self._fusion, self._fusion.graph
        last = first
        for end in range(first + 1, len(graph.ops) + 1):
            position = end - 1
            if not fusion.is_fusible[position] or sums_all_rows(graph, graph.ops[position]):
                break
            last = end
        return range(first + 1, last + 1)

    def refusal(self, first: int, end: int, grid: tuple[int, int]) -> str:
        """Return why ops ``first..end-1`` cannot run by patches, "" if they can."""
        fusion, graph = self._fusion, self._fusion.graph
        for position in range(first, end):
            op = graph.ops[position]
            if not fusion.is_fusible[position]:
                return f"{graph.label(position)} cannot be done for a part of its output"
            if sums_all_rows(graph, op):
                return f"{graph.label(position)} needs the whole of its input"
        if fusion.starts[end] > first:
            inner = graph.ops[fusion.starts[end] - 1]
            position = fusion.starts[end] - 1
            name = graph.label(position)
            readers = [r for r in fusion.readers.get(inner.outputs[0], ()) if r >= end]
            later = f"{graph.label(readers[0])} reads it" if readers else "it is an output"
            return f"the result of {name} is needed whole after the patches: {later}"
        output = graph.ops[end - 1].outputs[0]
        for parts, axis in zip(grid, Axis, strict=True):
            if not 1 <= parts <= length(graph, output, axis):
                found = f"{length(graph, output, axis)} {axis.name.lower()}"
                return f"the output of {graph.label(end - 1)} has {found}, not {parts} or more"
        return ""

    def segment(self, first: int, end: int, grid: tuple[int, int]) -> PatchSegment:
        """Return ops ``first..end-1`` as a patch stage, its tiles packed."""
        graph, ops = self._fusion.graph, range(first, end)
        inner = [graph.ops[i].outputs[0] for i in ops[:-1]]
        sizes = {t: self._size(ops, grid, t) for t in inner}
        groups = self._groups(ops, grid, inner)
        problem = _problem(graph, ops, groups, sizes)
        places = {
            tensor: offset
            for group, offset in zip(groups, pack(problem), strict=True)
            for tensor in group
        }
        rows = tuple(Rows(t, *sizes[t], places[t]) for t in inner)
        return PatchSegment(first, end - 1, grid, rows)

    def least_workspace(self, first: int, end: int, grid: tuple[int, int]) -> int:
        """Return the fewest bytes that the tiles of a stage can have."""
        graph, ops = self._fusion.graph, range(first, end)
        inner = [graph.ops[i].outputs[0] for i in ops[:-1]]
        sizes = {t: self._size(ops, grid, t) for t in inner}
        return _problem(graph, ops, self._groups(ops, grid, inner), sizes).bound

    def _size(self, ops: range, grid: tuple[int, int], tensor: TensorId) -> tuple[int, int]:
        """Return the rows and columns of the largest tile of a tensor."""
        down, across = (
            max(touched[tensor].length for touched in self._along(ops, axis, parts))
            for axis, parts in zip(Axis, grid, strict=True)
        )
        return max(down, 1), max(across, 1)

    def _along(self, ops: range, axis: Axis, parts: int) -> Tiles:
        key = (ops[0], ops[-1], axis, parts)
        if key not in self._tiles:
            graph = self._fusion.graph
            size = length(graph, graph.ops[ops[-1]].outputs[0], axis)
            self._tiles[key] = [tile(graph, ops, axis, part) for part in evenly(size, parts)]
        return self._tiles[key]

    def _groups(
        self, ops: range, grid: tuple[int, int], inner: list[TensorId]
    ) -> list[list[TensorId]]:
        """Return inner tensors, those together whose tiles lie in the same bytes.

        An element-wise op overwrites the tile of an operand that nobody reads afterwards.
        """
        graph = self._fusion.graph
        groups: dict[TensorId, list[TensorId]] = {}
        for position in ops[:-1]:
            op = graph.ops[position]
            group = [op.outputs[0]]
            for operand in self._fusion.operands[position] if is_elementwise(graph, op) else ():
                taken = operand.tensor
                is_dead = taken in groups and self._fusion.readers[taken][-1] == position
                if is_dead and self._is_same_tile(ops, grid, taken, op.outputs[0]):
                    group = groups[taken]
                    group.append(op.outputs[0])
                    break
            groups[op.outputs[0]] = group
        assert list(groups) == inner
        return [group for tensor, group in groups.items() if group[0] == tensor]

    def _is_same_tile(self, ops: range, grid: tuple[int, int], a: TensorId, b: TensorId) -> bool:
        return all(
            touched[a] == touched[b]
            for axis, parts in zip(Axis, grid, strict=True)
            for touched in self._along(ops, axis, parts)
        )


def _problem(
    graph: Graph,
    ops: range,
    groups: list[list[TensorId]],
    sizes: dict[TensorId, tuple[int, int]],
) -> Packing:
    """Return the tiles as blocks, alive from the op that makes them to the last that reads them."""
    made = {graph.ops[i].outputs[0]: i for i in ops}
    read = {t: i for i in ops for t in graph.ops[i].inputs}
    alive: list[list[tuple[int, int]]] = [[] for _ in ops]
    block_bytes = []
    for block, group in enumerate(groups):
        rows, columns = sizes[group[0]]
        block_bytes.append(align(rows * columns * pixel_bytes(graph, group[0])))
        for moment in range(made[group[0]], read[group[-1]] + 1):
            alive[moment - ops[0]].append((block, block_bytes[-1]))
    return Packing(block_bytes, alive, range(len(groups)))
