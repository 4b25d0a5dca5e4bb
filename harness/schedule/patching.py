"""Schedule ``patch``: the first ops by patches, the rest in place (MCUNetV2, arXiv:2110.15352).

The stage begins with the first op that can be done for a part of its output, so that a model whose
input is first quantized or reshaped can be split too; QUANTIZE stays outside, since in place it
costs no bytes and leaves fewer. How many ops it has and into how many patches
it is cut is searched: every number of ops, every grid of up to 8 x 8, and no stage at all.

With a limit the split of least work that fits it is taken, as in the paper. Without one the least
peak alone would be a bad choice: the last tenth of it can double the work. So it is the least peak
among the splits that execute at most 1.25 times the MACs of the network; the paper's networks are
at 1.08 to 1.17 times (table 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.errors import InputError
from harness.ir.macs import graph_macs, op_macs
from harness.ir.ops import Quantize
from harness.schedule.choices import Choice, Choices
from harness.schedule.geometry import Axis, length
from harness.schedule.inplace import inplace_segments
from harness.schedule.layout import lay_out
from harness.schedule.limits import does_not_fit
from harness.schedule.plan import PatchSegment, Plan, Segment

Grid = tuple[int, int]

MOST_PARTS = 8
"""Into how many parts the search cuts either axis at most."""

MOST_RECOMPUTE = 1.25
"""How many times the network's MACs a split without a limit may execute."""


def patch_plan(choices: Choices, limit: int | None, split: tuple[int, Grid] | None) -> Plan:
    """Return the plan of least work within ``limit``, without one of least peak at little work.

    Raises:
        InputError: ``split`` cannot be done exactly, with the reason.
        DoesNotFitError: no split fits.
    """
    rest = _Rest(choices)
    if split is not None:
        made = rest.plan(_by_hand(choices, *split))
        if limit is not None and made.planned_peak_bytes > limit:
            raise does_not_fit(made, limit)
        return made
    found: list[Choice | None] = [None, *_searched(choices)]
    if limit is None:
        return rest.least(c for c in found if rest.recompute(c) <= MOST_RECOMPUTE)
    for choice in sorted((c for c in found if rest.peak(c) <= limit), key=rest.by_work):
        made = rest.plan(choice)
        if made.planned_peak_bytes <= limit:
            return made
    raise does_not_fit(rest.least(found), limit)


def first_op(choices: Choices) -> int:
    """Return the first op that a patch stage can begin with, or the number of ops."""
    ops = enumerate(zip(choices.graph.ops, choices.fusion.is_fusible, strict=True))
    found = (i for i, (op, can) in ops if can and not isinstance(op, Quantize))
    return next(found, len(choices.graph.ops))


def stages(choices: Choices, grids: Sequence[Grid], ends: Sequence[int]) -> Iterator[Choice]:
    """Yield the patch stages that are possible with these grids and ends, not packed yet."""
    graph, first = choices.graph, first_op(choices)
    for end in ends:
        if choices.fusion.starts[end] > first:
            continue
        output = graph.ops[end - 1].outputs[0]
        height, width = (length(graph, output, axis) for axis in Axis)
        for down, across in grids:
            if down <= height and across <= width:
                yield choices.patched(first, end, (down, across))


def _searched(choices: Choices) -> Iterator[Choice]:
    parts = range(1, MOST_PARTS + 1)
    grids = [(down, across) for down in parts for across in parts if (down, across) != (1, 1)]
    return stages(choices, grids, choices.patches.ends(first_op(choices)))


def _by_hand(choices: Choices, count: int, grid: Grid) -> Choice:
    graph, first = choices.graph, first_op(choices)
    down, across = grid
    if first == len(graph.ops):
        raise InputError(
            f"{graph.name}: a patch stage is not possible: no op of it can be done for a part of "
            "its output",
            hint="take another schedule",
        )
    if not first < count <= len(graph.ops):
        raise InputError(
            f"{graph.name}: a patch stage of {count} ops is not possible: it has at least "
            f"{first + 1} and at most {len(graph.ops)}",
            hint="choose another number of ops, or leave the choice to --schedule patch",
        )
    reason = choices.patches.refusal(first, count, grid)
    if reason:
        raise InputError(
            f"{graph.name}: {count} ops cannot run in {down} x {across} patches: {reason}",
            hint="choose another number of ops, or leave the choice to --schedule patch",
        )
    return choices.patched(first, count, grid)


class _Rest:
    """What runs before and after the stage: each op whole, in place where that saves bytes."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._segments = inplace_segments(choices.graph, choices.kernels)
        self._peaks, self._work = [], []
        for position, segment in enumerate(self._segments):
            single = next(c for c in choices.singles(position) if c.segment == segment)
            self._peaks.append(single.peak_bytes)
            self._work.append(single.instructions)

    def peak(self, choice: Choice | None) -> int:
        """Return the bytes alive at most, with a stage or without one."""
        if choice is None:
            return max(self._peaks, default=0)
        outside = self._peaks[: choice.first] + self._peaks[choice.end :]
        return max(choice.peak_bytes, *outside, 0)

    def by_peak(self, choice: Choice | None) -> tuple[float, ...]:
        """Return a sort key: the least peak, then the least work."""
        return self.peak(choice), self._all_work(choice)

    def by_work(self, choice: Choice | None) -> tuple[float, ...]:
        """Return a sort key: the least work, then the least peak."""
        return self._all_work(choice), self.peak(choice)

    def plan(self, choice: Choice | None) -> Plan:
        """Return the plan with a stage or without one."""
        segments: Sequence[Segment] = self._segments
        if choice is not None:
            stage = self._choices.packed(choice).segment
            assert stage is not None, "a packed choice has its segment"
            segments = (*segments[: choice.first], stage, *segments[choice.end :])
        return lay_out("patch", segments, self._choices.streams)

    def recompute(self, choice: Choice | None) -> float:
        """Return the MACs executed over the MACs of the network."""
        if choice is None or choice.grid is None:
            return 1.0
        graph, work = self._choices.graph, self._choices.work
        stage = PatchSegment(choice.first, choice.end - 1, choice.grid)
        macs = graph_macs(graph)
        again = work.executed_macs(stage) - sum(op_macs(graph, graph.ops[i]) for i in stage.ops)
        return 1 + again / macs if macs else 1.0

    def least(self, found: Iterable[Choice | None]) -> Plan:
        """Return the plan of least peak, and of those the one of least work."""
        best: Plan | None = None
        for choice in sorted(found, key=self.by_peak):
            if best is not None and self.peak(choice) >= best.planned_peak_bytes:
                break
            made = self.plan(choice)
            if best is None or made.planned_peak_bytes < best.planned_peak_bytes:
                best = made
        assert best is not None, "no stage at all is always possible"
        return best

    def _all_work(self, choice: Choice | None) -> float:
        if choice is None:
            return sum(self._work)
        outside = sum(self._work[: choice.first]) + sum(self._work[choice.end :])
        return choice.instructions + outside
