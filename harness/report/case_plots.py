"""Schedules of many networks as pictures: SRAM per schedule, and SRAM against work.

One picture, one kind of figure on an axis: measured bytes, counted instructions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_LOOKS = {
    "layer": ("s", ORANGE),
    "inplace": ("D", PURPLE),
    "patch": ("^", VERMILION),
    "stream": ("o", GREEN),
    "auto": ("*", BLUE),
}
_OTHER = ("o", SKY)
_PLOT_POINTS, _LINE_POINTS = 300, 9
_WIDTH, _ROW, _LEAST_HEIGHT = 9.5, 0.36, 2.6


class _End(NamedTuple):
    """Where a line ends, and where its name goes: both in points from below."""

    at: float
    placed: float
    height: float
    size: int
    model: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One case in a picture: what it needs and what it takes."""

    model: str
    schedule: str
    sram_bytes: int
    instructions: int


def draw_sram(marks: Sequence[Mark], paths: Sequence[Path], *, title: str) -> None:
    """Write a row a network with a mark a schedule, bytes on a logarithmic axis."""
    models = list(dict.fromkeys(mark.model for mark in marks))
    schedules = list(dict.fromkeys(mark.schedule for mark in marks))
    with figure(_WIDTH, max(_LEAST_HEIGHT, 1.2 + _ROW * len(models))) as drawn:
        axes = drawn.subplots()
        for row, model in enumerate(models):
            own = sorted((m for m in marks if m.model == model), key=lambda m: m.sram_bytes)
            ends = own[0].sram_bytes, own[-1].sram_bytes
            axes.plot(ends, [row, row], color=FAINT, linewidth=2.5, zorder=1)
            for mark in own:
                shape, colour = _LOOKS.get(mark.schedule, _OTHER)
                axes.plot([mark.sram_bytes], [row], shape, color=colour, markersize=7, zorder=2)
            for size, shift, side in ((ends[0], -8, "right"), (ends[1], 8, "left")):
                axes.annotate(
                    f"{size / 1000:,.1f}", (size, row), xytext=(shift, 0), ha=side,
                    textcoords="offset points", va="center", fontsize=7.5, color=INK,
                )  # fmt: skip
        axes.set_yticks(range(len(models)), models)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_ylim(len(models) - 0.5, -0.5)
        axes.set_xscale("log")
        sizes = [mark.sram_bytes for mark in marks]
        axes.set_xlim(min(sizes) * 0.7, max(sizes) * 1.45)
        kilobytes(axes.xaxis, log=True)
        axes.set_xlabel("SRAM measured, kB (1 kB = 1000 bytes); stack and static data included")
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        _finish(drawn, schedules, paths, title)


def draw_work(marks: Sequence[Mark], paths: Sequence[Path], *, title: str) -> None:
    """Write a line a network through its schedules: bytes across, instructions up."""
    models = list(dict.fromkeys(mark.model for mark in marks))
    schedules = list(dict.fromkeys(mark.schedule for mark in marks))
    with figure(_WIDTH, 6.2) as drawn:
        axes = drawn.subplots()
        ends: list[tuple[float, int, str]] = []
        for model in models:
            own = sorted((m for m in marks if m.model == model), key=lambda m: m.sram_bytes)
            sizes = [mark.sram_bytes for mark in own]
            work = [mark.instructions / 1e6 for mark in own]
            axes.plot(sizes, work, color=GREY, linewidth=0.9, zorder=1)
            for mark, size, height in zip(own, sizes, work, strict=True):
                shape, colour = _LOOKS.get(mark.schedule, _OTHER)
                axes.plot([size], [height], shape, color=colour, markersize=6, zorder=2)
            ends.append((work[-1], sizes[-1], model))
        _name_lines(axes, ends)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(right=max(mark.sram_bytes for mark in marks) * 2.6)
        kilobytes(axes.xaxis, log=True)
        _plain(axes.yaxis)
        axes.set_xlabel("SRAM measured, kB (1 kB = 1000 bytes)")
        axes.set_ylabel("instructions of one inference, millions (counted on an emulator)")
        axes.grid(color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        _finish(drawn, schedules, paths, title)


def _name_lines(axes: Axes, ends: Sequence[tuple[float, int, str]]) -> None:
    """Write each network's name to the right of its last mark, close ones above each other.

    Names of a group that is close stand to the right of all of its marks.
    """
    lowest, highest = min(ends)[0], max(ends)[0]
    points_a_decade = _PLOT_POINTS / math.log10(highest / lowest) if highest > lowest else 0.0
    close: list[list[_End]] = []
    placed = -math.inf
    for height, size, model in sorted(ends):
        at = math.log10(height / lowest) * points_a_decade
        if not close or at > placed + _LINE_POINTS:
            close.append([])
        placed = max(at, placed + _LINE_POINTS)
        close[-1].append(_End(at, placed, height, size, model))
    for group in close:
        right = max(end.size for end in group)
        for end in group:
            axes.annotate(
                end.model, (right, end.height), xytext=(8, end.placed - end.at - 3),
                textcoords="offset points", fontsize=7.5, color=INK,
            )  # fmt: skip


def _plain(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers at 1, 2, 3 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def _finish(drawn: Figure, schedules: Sequence[str], paths: Sequence[Path], title: str) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for schedule in schedules:
        shape, colour = _LOOKS.get(schedule, _OTHER)
        handles.append(Line2D([], [], marker=shape, color=colour, linestyle="none"))
    drawn.legend(
        handles, list(schedules), loc="outside lower left", ncols=5, frameon=False, fontsize=8
    )
    drawn.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
    for path in paths:
        save(drawn, path, title=title, text="")
