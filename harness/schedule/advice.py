"""Advice: with which options a plan would fit. Each was tried, so what is advised helps."""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import DoesNotFitError
from harness.ir import Graph
from harness.kernels.kernel_set import KernelSet
from harness.schedule.limits import can_come_by_rows
from harness.schedule.search import plan


def what_fits(
    graph: Graph, kernels: KernelSet, limit: int, *, schedule: str, input_by_rows: bool
) -> Iterator[str]:
    """Yield options with which a plan fits into ``limit`` bytes where the given ones did not.

    The input by rows is tried only where it is needed: it is a change to what sends the input.
    """
    if schedule != "auto" and _fits(graph, kernels, limit, input_by_rows):
        yield "--schedule auto"
    elif not input_by_rows and can_come_by_rows(graph) and _fits(graph, kernels, limit, True):
        yield "--input-by-rows" if schedule == "auto" else "--schedule auto --input-by-rows"


def _fits(graph: Graph, kernels: KernelSet, limit: int, input_by_rows: bool) -> bool:
    try:
        plan(graph, "auto", kernels=kernels, limit=limit, input_by_rows=input_by_rows)
    except DoesNotFitError:
        return False
    return True
