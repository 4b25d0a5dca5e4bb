"""Limits: what a plan may take of flash, and what is said when no plan fits."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import DoesNotFitError, DoesNotFitInFlashError
from harness.ir import Graph
from harness.kernels.flash import code_of
from harness.passes.reshape_input import reshape_input
from harness.schedule.flash import estimated_flash
from harness.schedule.fusion import Fusion
from harness.schedule.plan import Plan
from harness.schedule.timeline import what_holds_the_peak
from harness.units import format_bytes

_MOST_CODE_OF_AN_OP, _MOST_KERNELS, _MOST_GROWTH = 3_000, 65_536, 4
"""More than the bytes of an op's own code, than those of all kernels, and than how many times the
bytes of the file constants take once they are laid out, as by Winograd's transform."""

_SMALLER = {"size": "", "instructions": "cycles or size"}
"""With which optimization kernels take less flash."""


@dataclass(frozen=True, slots=True)
class FlashLimit:
    """A limit of an image's flash; ``runtime_bytes`` of it are not the model's.

    It is what ``board`` has, or what was asked for. With ``slack_bytes`` a plan that is estimated
    to take so much more is not refused: the linker knows better.
    """

    limit_bytes: int
    runtime_bytes: int
    slack_bytes: int = 0
    board: str = ""

    @property
    def model_bytes(self) -> int:
        """What is left for the model."""
        return self.limit_bytes - self.runtime_bytes

    def holds(self, plan: Plan) -> bool:
        """Return whether a plan is estimated to fit; one of kernels for the host is not limited."""
        graph, room = plan.graph, self.model_bytes
        constants = sum(t.size_bytes for t in graph.tensors if t.is_constant)
        if _MOST_GROWTH * constants + _MOST_CODE_OF_AN_OP * len(graph.ops) + _MOST_KERNELS <= room:
            return True  # plainly; an estimate lays out all weights
        return code_of(plan.kernels) is None or estimated_flash(plan).total_bytes <= room

    def excuses(self, plan: Plan) -> bool:
        """Return whether a plan is so little above the limit that the linker may still do it."""
        return estimated_flash(plan).total_bytes <= self.model_bytes + self.slack_bytes

    def refusal(self, least: Plan) -> DoesNotFitInFlashError:
        """Return the error that names the least flash possible and what holds it."""
        found = estimated_flash(least)
        total = found.total_bytes + self.runtime_bytes
        smaller = _SMALLER.get(least.kernels.optimize, "size")
        whose = f" of {self.board}" if self.board else ""
        return DoesNotFitInFlashError(
            f"{least.graph.name}: no plan of schedule {least.schedule} fits into "
            f"{format_bytes(self.limit_bytes)} of flash{whose}; the least is about "
            f"{format_bytes(total)}: "
            f"weights {found.weights_bytes:,} B, kernels {found.kernel_bytes:,} B, "
            f"code of the ops {found.code_bytes:,} B, runtime {self.runtime_bytes:,} B; "
            f"{_largest(least.graph)}",
            hint="; ".join(
                [
                    *([f"try --optimize {smaller}"] if smaller else []),
                    f"take a board with {format_bytes(total)} of flash or more (`bench boards`)"
                    if self.board
                    else f"raise --flash-limit to {format_bytes(total)} or more",
                    "or take a model with fewer weights",
                ]
            ),
        )


def does_not_fit(least: Plan, limit: int) -> DoesNotFitError:
    """Return the error that names the least bytes possible and what holds them."""
    return DoesNotFitError(
        f"{least.graph.name}: no plan of schedule {least.schedule} fits into "
        f"{format_bytes(limit)}; the least is {format_bytes(least.planned_peak_bytes)}: "
        f"{what_holds_the_peak(least)}",
        hint=f"raise the limit to {format_bytes(least.planned_peak_bytes)} or more",
    )


def _largest(graph: Graph) -> str:
    """Return in words which op has the most constants."""
    sizes = [
        (sum(graph.tensor(t).size_bytes for t in set(op.inputs) if graph.tensor(t).is_constant), i)
        for i, op in enumerate(graph.ops)
    ]
    size, position = max(sizes, default=(0, 0))
    return f"{graph.label(position)} has the most weights, {size:,} B" if size else "no weights"


def can_come_by_rows(graph: Graph) -> bool:
    """Whether the model's input could be delivered row by row."""
    return not Fusion(reshape_input(graph)).why_not_by_rows
