"""How pictures look, and how they become files. The only module that imports matplotlib.

Colours are Okabe and Ito's, which people with any kind of colour vision tell apart
(https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, near_names
from harness.report.page import page

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
ORANGE, VERMILION, PURPLE = "#E69F00", "#D55E00", "#CC79A7"
INK, GREY, FAINT = "#222222", "#6b6b6b", "#dddddd"

SUFFIXES = (".svg", ".png", ".html")

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    # Text stays text, and the same picture is the same bytes.
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
}


def check_picture(path: Path) -> None:
    """Raise UsageError unless a picture can be written under this name, before work is done."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"--plot {path}: pictures are {', '.join(SUFFIXES)}, not '{path.suffix}'",
            hint=near_names(path.suffix.lower(), SUFFIXES),
        )
    if not path.parent.is_dir():
        raise UsageError(f"--plot {path}: there is no folder {path.parent}", hint="create it first")
    _require_matplotlib()


def _require_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        raise UsageError(
            "--plot needs matplotlib, which is not installed",
            hint="pip install 'bench-tinyml[plots]'",
        )


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of that many inches in the house style."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def save(drawn: Figure, path: Path, *, title: str, text: str) -> None:
    """Write a figure as SVG, PNG, or a page of its own that has ``text`` below the picture."""
    match path.suffix.lower():
        case ".png":
            drawn.savefig(path, format="png", dpi=160, metadata={"Software": None})
        case ".svg":
            path.write_text(_svg(drawn, title), encoding="utf-8")
        case _:
            path.write_text(page(title, _svg(drawn, title), text), encoding="utf-8")


def _svg(drawn: Figure, title: str) -> str:
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "bench", "Title": title})
    return buffer.getvalue()


def kilobytes(axis: Axis, *, log: bool = False) -> None:
    """Label an axis of bytes in kB of 1000 bytes."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if log:
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda size, _: f"{size / 1000:,.10g}"))
