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
    INK,
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

_WIDTH, _HEIGHT = 9.5, 4.6
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
        handles, labels = panels[0].get_legend_handles_labels()
        drawn.legend(
            handles,
            labels,
            loc="outside lower left",
            ncols=5,
            frameon=False,
            fontsize=8,
        )
        save(drawn, path, title=title, text=text)


def _draw(
    axes: Axes, front: Sequence[PlanPoint], others: Sequence[PlanPoint], work: Sequence[float]
) -> None:
    """Draw one measure of work against bytes; ``work`` is of the front, then of the others."""
    sizes = [point.planned_peak_bytes for point in front]
    axes.step(sizes, work[: len(front)], where="post", color=BLUE, linewidth=1.2, zorder=2)
    axes.plot(sizes, work[: len(front)], "o", color=BLUE, markersize=4, label="front", zorder=3)
    for point, height in zip(others, work[len(front) :], strict=True):
        mark, colour = _MARKS[point.schedule]
        label = f"{point.schedule}, {point.planned_peak_bytes:,} B"
        style: dict[str, Any] = {"color": colour, "markersize": 8, "mfc": "none", "mew": 1.8}
        axes.plot([point.planned_peak_bytes], [height], mark, label=label, zorder=4, **style)
    least = front[0]
    axes.annotate(
        f"{least.planned_peak_bytes:,} B", (sizes[0], work[0]), xytext=(6, 2),
        textcoords="offset points", fontsize=7.5, color=INK,
    )  # fmt: skip
    axes.set_xscale("log")
    kilobytes(axes.xaxis, log=True)
    low, high = min(work), max(work)
    room = max(0.08 * (high - low), 0.01 * high)
    axes.set_ylim(low - room, high + 2 * room)
    axes.set_xlabel("peak, kB (1 kB = 1000 bytes)")
    axes.grid(color=FAINT, linewidth=0.6)
    axes.tick_params(colors=GREY)
    axes.set_axisbelow(True)
