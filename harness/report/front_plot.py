"""The front of a model's plans as a picture: work against bytes, whole schedules beside it.

Each plan is a corner: to its right its work is the least that is known, to its left it takes the
next corner's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.report.canvas import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    figure,
    kilobytes,
    save,
)
from harness.results.plan_point import PlanPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 9.5, 4.2
_NEAR = 0.05
"""How far two sizes must be apart for both to be named, as a part of the smaller."""

_MARKS = {
    "layer": ("s", ORANGE),
    "inplace": ("D", PURPLE),
    "patch": ("^", VERMILION),
    "stream": ("o", GREEN),
}


def draw_front(
    front: Sequence[PlanPoint],
    others: Sequence[PlanPoint],
    path: Path,
    *,
    text: str,
    limit: int | None = None,
) -> None:
    """Write a picture of a front and of other plans of the same model; ``text`` as for plans."""
    by_rows = "" if front[0].input_resident else ", input by rows"
    title = f"{front[0].model}{by_rows}: what less memory costs"
    points = (*front, *others)
    with figure(_WIDTH, _HEIGHT) as drawn:
        panels = drawn.subplots(1, 2, squeeze=False)[0]
        _draw(panels[0], front, others, [point.recompute_ratio for point in points])
        panels[0].set_ylabel("MACs executed / MACs of the network")
        _draw(panels[1], front, others, [p.estimated_instructions / 1e6 for p in points])
        panels[1].set_ylabel("instructions of one inference, millions (estimated)")
        for axes in panels:
            if limit is not None:
                axes.axvline(limit, color=VERMILION, linewidth=1.2, linestyle=(0, (1, 1.5)))
        drawn.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
        save(drawn, path, title=title, text=text)


def _draw(
    axes: Axes, front: Sequence[PlanPoint], others: Sequence[PlanPoint], work: Sequence[float]
) -> None:
    """Draw one measure of work against bytes; ``work`` is of the front, then of the others.

    Below the front lies what no plan reaches, in the colour of the front.
    """
    sizes = [point.planned_peak_bytes for point in front]
    low, high = min(work), max(work)
    room = max(0.08 * (high - low), 0.01 * high)
    axes.set_ylim(low - room, high + 2 * room)
    steps = work[: len(front)]
    axes.step(sizes, steps, where="post", color=BLUE, linewidth=1.2, zorder=2)
    axes.fill_between(sizes, steps, low - room, step="post", color=BLUE, alpha=0.08, linewidth=0)
    axes.plot(sizes, steps, "o", color=BLUE, markersize=4, zorder=3)
    axes.set_xscale("log")
    axes.set_xlim(*_wider([point.planned_peak_bytes for point in (*front, *others)]))
    kilobytes(axes.xaxis, log=True)
    for point, height in zip(others, work[len(front) :], strict=True):
        mark, colour = _MARKS[point.schedule]
        style: dict[str, Any] = {"color": colour, "markersize": 8, "mfc": "none", "mew": 1.8}
        axes.plot([point.planned_peak_bytes], [height], mark, zorder=4, **style)
        is_below = point.schedule == "layer"  # which is close to the others on the right
        _name(axes, point.schedule, point.planned_peak_bytes, height, colour, is_below=is_below)
    if all(abs(point.planned_peak_bytes / sizes[0] - 1) > _NEAR for point in others):
        _name(axes, "least", sizes[0], work[0], BLUE)
    axes.set_xlabel("peak, kB (1 kB = 1000 bytes)")
    axes.grid(color=FAINT, linewidth=0.6)
    axes.tick_params(colors=GREY)
    axes.set_axisbelow(True)


def _wider(sizes: Sequence[int]) -> tuple[float, float]:
    """Return the range of sizes on a logarithmic axis, with room for marks and names."""
    low, high = min(sizes), max(sizes)
    room = max(high / low, 1.1) ** 0.08
    return low / room, high * room


def _name(
    axes: Axes, name: str, size: int, height: float, colour: str, *, is_below: bool = False
) -> None:
    """Name a point beside its mark, on the side where there is more room."""
    low, high = axes.get_xlim()
    is_left = size * size < low * high
    axes.annotate(
        f"{name} {size:,} B",
        (size, height),
        xytext=(8 if is_left else -8, -12 if is_below else 6),
        textcoords="offset points",
        ha="left" if is_left else "right",
        fontsize=7.5,
        color=colour,
    )
