"""Plans as a picture: bytes alive over execution, schedules side by side.

All panels have one scale, so that what one schedule needs can be read off against the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.report.canvas import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    figure,
    kilobytes,
    save,
)
from harness.report.plan_shapes import Role, shapes, stretches
from harness.results.plan_point import plan_point
from harness.schedule.plan import Plan
from harness.schedule.timeline import holders, peak, where_the_peak_is

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {
    Role.INPUT: SKY,
    Role.ACTIVATION: BLUE,
    Role.KEPT: ORANGE,
    Role.OUTPUT: VERMILION,
    Role.WORKSPACE: GREEN,
    Role.SCRATCH: PURPLE,
}
_PANEL_WIDTH, _LONE_WIDTH, _HEIGHT = 3.5, 9.0, 5.2
_NAME_COLUMNS, _LONE_NAME_COLUMNS = 26, 80
_HOLDERS = 4
_LEAST_LABELLED = 0.15
"""Share of the ops below which the name of a fused segment finds no room."""


def draw_plans(plans: Sequence[Plan], path: Path, *, text: str, limit: int | None = None) -> None:
    """Write a picture of plans of one model; ``limit`` bytes are a line across.

    ``text`` goes below the picture where it is a page.
    """
    top = max(*(plan.planned_peak_bytes for plan in plans), limit or 0)
    is_lone = len(plans) == 1
    title = f"{plans[0].graph.name}: memory during one inference"
    with figure(_LONE_WIDTH if is_lone else _PANEL_WIDTH * len(plans), _HEIGHT) as drawn:
        panels = drawn.subplots(1, len(plans), sharey=True, squeeze=False)[0]
        for axes, plan in zip(panels, plans, strict=True):
            _draw_shapes(axes, plan)
            _mark_segments(axes, plan, top)
            _mark_peak(axes, plan, top)
            if limit is not None:
                _mark_limit(axes, limit, f"limit {limit:,} B " if axes is panels[0] else "")
            _label(axes, plan, _LONE_NAME_COLUMNS if is_lone else _NAME_COLUMNS)
            axes.set_ylim(0, 1.12 * top)
        kilobytes(panels[0].yaxis)
        panels[0].set_ylabel("bytes alive, kB (1 kB = 1000 bytes)")
        drawn.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
        _add_legend(drawn, plans)
        save(drawn, path, title=title, text=text)


def _draw_shapes(axes: Axes, plan: Plan) -> None:
    from matplotlib.patches import Polygon

    for shape in shapes(plan):
        colour = _COLOURS[shape.role]
        axes.add_patch(
            Polygon(shape.corners, facecolor=colour, edgecolor="white", linewidth=0.4, zorder=2)
        )


def _mark_segments(axes: Axes, plan: Plan, top: int) -> None:
    """Say above the bars which ops run together."""
    for place in stretches(plan):
        count = place.end - place.first
        if count == 1:
            continue
        y = 1.075 * top
        axes.plot([place.first + 0.15, place.end - 0.15], [y, y], color=GREEN, linewidth=2.5)
        if count >= _LEAST_LABELLED * len(plan.graph.ops):
            middle = (place.first + place.end) / 2
            axes.annotate(
                place.kind,
                (middle, y),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=GREY,
            )


def _mark_peak(axes: Axes, plan: Plan, top: int) -> None:
    """Draw the peak as a line across, and a mark over the ops that reach it."""
    height, places = plan.planned_peak_bytes, stretches(plan)
    segment = min(max(peak(plan).segment, 0), len(places) - 1)
    middle = (places[segment].first + places[segment].end) / 2
    axes.axhline(height, color=INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=3)
    axes.plot([middle], [height + 0.018 * top], marker="v", color=INK, markersize=6, zorder=4)


def _mark_limit(axes: Axes, limit: int, text: str) -> None:
    axes.axhline(limit, color=VERMILION, linewidth=1.4, linestyle=(0, (1, 1.5)), zorder=3)
    axes.text(
        0.995,
        limit,
        text,
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="bottom",
        fontsize=7,
        color=VERMILION,
    )


def _label(axes: Axes, plan: Plan, columns: int) -> None:
    """Name the axes, and say below the panel what holds the peak."""
    point = plan_point(plan)
    recompute = "" if point.recompute_ratio <= 1 else f", MACs x {point.recompute_ratio:.2f}"
    by_rows = "" if point.input_resident else ", input by rows"
    axes.set_title(f"{plan.schedule}{by_rows}: {plan.planned_peak_bytes:,} B{recompute}")
    axes.set_xlim(0, len(plan.graph.ops))
    held = holders(plan, columns)
    told = [f"{size:>9,} B  {name}" for name, size in held[:_HOLDERS]]
    told += [""] * (_HOLDERS - len(told))
    moment = where_the_peak_is(plan)
    lines = ["ops, in order of execution", "", f"peak in {moment}", *told]
    axes.set_xlabel("\n".join(lines), loc="left", fontsize=7.5, linespacing=1.35)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)


def _add_legend(drawn: Figure, plans: Sequence[Plan]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    used = {shape.role for plan in plans for shape in shapes(plan)}
    entries: list[Artist] = [
        Patch(color=_COLOURS[role], label=role.value) for role in Role if role in used
    ]
    if any(place.end - place.first > 1 for plan in plans for place in stretches(plan)):
        entries.append(Line2D([], [], color=GREEN, linewidth=2.5, label="ops that run together"))
    drawn.legend(
        handles=entries,
        loc="outside lower left",
        ncols=len(entries) if drawn.get_figwidth() > _LONE_WIDTH else 4,
        frameon=False,
        fontsize=8,
    )
