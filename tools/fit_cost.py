"""Fits the cost model of the kernels to instruction counts of an emulated board, in one command.

    python tools/fit_cost.py MODEL... [--board mps2-an386] [--schedules layer,inplace,stream]

runs each model with each schedule, fits ``harness/kernels/cost.py`` and writes
``harness/kernels/cost_data.py``. Run it after any change to a kernel. Classes of ops that no model
has keep the weights that they had.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.errors import BenchError
from harness.experiment.case import Case, find, plan_case
from harness.experiment.run import run_case
from harness.kernels import cost_data
from harness.kernels.cost import costs, features, op_class
from harness.kernels.cost_data import COSTS, Costs
from harness.kernels.kernel_set import KernelSet
from harness.results.record import Record
from harness.schedule.fusion import Fusion
from harness.schedule.plan import (
    AliasSegment,
    FusedSegment,
    InplaceSegment,
    LayerSegment,
    PatchSegment,
    Plan,
    StreamSegment,
)
from harness.schedule.work import Work

TARGET = Path(__file__).parent.parent / "harness" / "kernels" / "cost_data.py"

Floats = npt.NDArray[np.float64]


class Whole(NamedTuple):
    """One op on whole tensors: its class, its features, its instructions."""

    name: str
    features: Floats
    instructions: float


class Fused(NamedTuple):
    """One fused segment: its plan, and its instructions."""

    plan: Plan
    segment: FusedSegment
    instructions: float


class Fit(NamedTuple):
    """Weights, their median relative error, and over how many samples."""

    weights: tuple[float, ...]
    error: float
    samples: int


def measured(plan: Plan, record: Record) -> Iterator[Whole | Fused]:
    """Yield what a record says of each segment of its plan."""
    counts = [op.instructions for op in record.ops]
    for segment in plan.segments:
        count = counts[segment.ops[-1]]
        if not count:
            continue
        match segment:
            case LayerSegment(position) | InplaceSegment(position):
                op = plan.graph.ops[position]
                operand = segment.operand if isinstance(segment, InplaceSegment) else None
                name = op_class(plan.graph, op, operand)
                yield Whole(name, features(plan.graph, op), float(count))
            case StreamSegment() | PatchSegment():
                yield Fused(plan, segment, float(count))
            case AliasSegment():
                pass


def fit(rows: Floats, counts: Floats) -> Fit:
    """Return non-negative weights of least squared relative error, by trying all their subsets."""
    scaled = rows / counts[:, None]
    best, least = np.zeros(rows.shape[1]), np.inf
    for size in range(1, rows.shape[1] + 1):
        for chosen in combinations(range(rows.shape[1]), size):
            weights = np.zeros(rows.shape[1])
            part, *_ = np.linalg.lstsq(scaled[:, chosen], np.ones(len(counts)), rcond=None)
            weights[list(chosen)] = part
            residual = float(((scaled @ weights - 1) ** 2).sum())
            if (part >= 0).all() and residual < least - 1e-9:
                best, least = weights, residual
    errors = np.abs(scaled @ best - 1)
    return Fit(tuple(float(w) for w in best), float(np.median(errors)), len(counts))


def fit_classes(samples: list[Whole]) -> dict[str, Fit]:
    """Return one fit for each class that was seen."""
    fits = {}
    for name in sorted({sample.name for sample in samples}):
        chosen = [sample for sample in samples if sample.name == name]
        rows = np.array([sample.features for sample in chosen])
        fits[name] = fit(rows, np.array([sample.instructions for sample in chosen]))
    return fits


def fit_rows(samples: list[Fused], classes: dict[str, Fit]) -> Fit:
    """Return what rows cost: the ratio to whole ops, and the instructions of a call."""
    rows, counts = [], []
    for plan, segment, instructions in samples:
        graph = plan.graph
        ratio = calls = 0.0
        for position, share in Work(Fusion(graph, plan.kernels)).shares(segment).items():
            op = graph.ops[position]
            weights = classes[op_class(graph, op, None)].weights
            ratio += share.made * float(features(graph, op) @ np.array(weights))
            calls += share.rows
        rows.append((ratio, calls))
        counts.append(instructions)
    return fit(np.array(rows), np.array(counts))


def source(models: dict[str, Costs]) -> str:
    """Return the text of ``cost_data.py``."""
    text = TARGET.read_text()
    lines = ["COSTS: dict[str, Costs] = {"]
    for isa, model in sorted(models.items()):
        lines += [f'    "{isa}": Costs(', f'        fitted_on="{model.fitted_on}",']
        lines.append("        classes={")
        for name, (weights, error, samples) in model.classes.items():
            listed = ", ".join(f"{weight:.4g}" for weight in weights)
            lines.append(f'            "{name}": Fit(({listed}), {error:.3f}, {samples}),')
        lines += ["        },", f"        row_ratio={model.row_ratio:.4g},"]
        lines.append(f"        row_instructions={model.row_instructions:.4g},")
        lines.append(f"        row_error={model.row_error:.3f},")
        lines += [f"        row_segments={model.row_segments},", "    ),"]
    return text[: text.index("COSTS:")] + "\n".join([*lines, "}"]) + "\n"


def main() -> int:
    """Run, fit, write."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    options.add_argument("models", nargs="+")
    options.add_argument("--board", default="mps2-an386")
    options.add_argument("--schedules", default="layer,inplace,stream")
    chosen = options.parse_args()
    kernels: KernelSet | None = None
    whole: list[Whole] = []
    fused: list[Fused] = []
    for model in chosen.models:
        for schedule in chosen.schedules.split(","):
            case = Case(board=chosen.board, model=model, schedule=schedule, repeat=1, warmup=0)
            try:
                plan = plan_case(find(case)).plan
                outcome = run_case(case, store=None)
                if outcome.error is not None:
                    raise outcome.error
            except BenchError as reason:
                sys.stderr.write(f"{model}, {schedule}: left out: {reason}\n")
                continue
            kernels = plan.kernels
            for sample in measured(plan, outcome.record):
                if isinstance(sample, Whole):
                    whole.append(sample)
                else:
                    fused.append(sample)
            sys.stderr.write(f"{model}, {schedule}: {len(plan.segments)} segments\n")
    if kernels is None:
        sys.stderr.write("nothing was measured\n")
        return 1
    known = {name: Fit(*old) for name, old in costs(kernels).classes.items()}
    classes = known | fit_classes(whole)
    rows = fit_rows(fused, classes)
    fitted = {name: cost_data.Fit(*fit) for name, fit in classes.items()}
    ratio, calls = rows.weights
    model = Costs(chosen.board, fitted, ratio, calls, rows.error, rows.samples)
    TARGET.write_text(source({**COSTS, kernels.isa.value: model}))
    for name, (_, error, samples) in (*classes.items(), ("rows", rows)):
        sys.stdout.write(f"{name:20} {samples:4} samples, median error {100 * error:.1f} %\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
