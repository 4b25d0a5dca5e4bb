"""Several plans of one model at once, as tables and pictures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from harness.errors import InputError
from harness.ir import Graph
from harness.kernels.kernel_set import KernelSet
from harness.report.console import stdout_console
from harness.report.front import front_json, front_table, front_text
from harness.report.front_plot import draw_front
from harness.report.plan_plot import draw_plans
from harness.report.plan_text import plan_text
from harness.results.plan_point import plan_point
from harness.schedule.plan import Plan
from harness.schedule.search import SCHEDULES, plan

_PAGE_WIDTH = 120
"""Columns of the text below a picture."""


def whole_schedules(graph: Graph, kernels: KernelSet) -> list[Plan]:
    """Return the plans of all schedules but auto; what a model does not allow is told on stderr."""
    plans = []
    for schedule in SCHEDULES:
        if schedule == "auto":
            continue
        try:
            plans.append(plan(graph, schedule, kernels=kernels))
        except InputError as missing:
            typer.echo(f"{schedule} is not drawn: {missing.message}", err=True)
    return plans


def draw(plans: Sequence[Plan], path: Path, weights: str, limit: int | None) -> None:
    """Draw plans side by side."""
    text = "\n\n\n".join(plan_text(p, weights=weights, width=_PAGE_WIDTH) for p in plans)
    draw_plans(plans, path, text=text, limit=limit)


def show_front(
    front: Sequence[Plan], weights: str, limit: int | None, plot: Path | None, as_json: bool
) -> Plan:
    """Print the front as a table or as JSON, and draw it; return its plan of least peak."""
    plans = sorted(front, key=lambda p: p.planned_peak_bytes)
    points = [plan_point(p) for p in plans]
    if as_json:
        sys.stdout.write(front_json(points) + "\n")
    else:
        stdout_console().print(front_table(points, weights=weights, limit=limit))
    if plot is not None:
        others = [plan_point(p) for p in whole_schedules(plans[0].graph, plans[0].kernels)]
        text = front_text(points, weights=weights, limit=limit, width=_PAGE_WIDTH)
        draw_front(points, others, plot, text=text, limit=limit)
    return plans[0]
