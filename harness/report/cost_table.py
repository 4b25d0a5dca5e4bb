"""How good the cost model is: its median relative error for each class of ops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.kernels.cost_data import Costs, Fit


def cost_lines(models: Mapping[str, Costs]) -> Iterator[str]:
    """Yield a Markdown table: a row a class, whole and by rows, a column an instruction set."""
    yield f"| class | {' | '.join(models)} |"
    yield f"|-|{'-:|' * len(models)}"
    for name in sorted({name for model in models.values() for name in model.classes}):
        yield f"| {name} | {' | '.join(_error(m.classes.get(name)) for m in models.values())} |"
    for name in sorted({name for model in models.values() for name in model.rows}):
        cells = (_error(model.rows.get(name)) for model in models.values())
        yield f"| {name}, by rows | {' | '.join(cells)} |"
    fused = (f"{model.fused_error:.1%} of {model.fused}" for model in models.values())
    yield f"| fused segments | {' | '.join(fused)} |"
    yield ""
    yield "Each is the median of so many samples. Other instruction sets are taken as portable."


def _error(fit: Fit | None) -> str:
    return f"{fit.error:.1%} of {fit.ops}" if fit is not None and fit.ops else ""
