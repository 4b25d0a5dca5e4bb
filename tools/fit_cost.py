"""Fits the cost model of the kernels to instruction counts of an emulated board, in one command.

    python tools/fit_cost.py MODEL... [--board mps2-an386] [--portable]

runs each model op by op on whole tensors, in place, row by row, and streamed; fits
``harness/kernels/cost.py`` to the first three, tries it on the streams, and writes
``harness/kernels/cost_data.py``. Run it after any change to a kernel. Classes of ops that no model
has keep the weights that they had.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.board.load import load_board
from harness.errors import BenchError
from harness.experiment.plan_run import run_plan
from harness.importer.tflite import read_tflite
from harness.ir import Graph
from harness.kernels import cost_data
from harness.kernels.cost import ROW_FEATURES, costs, features, op_class
from harness.kernels.cost_data import COSTS, Costs
from harness.kernels.kernel_set import PORTABLE, KernelSet, kernels_for
from harness.kernels.library import goes_in_batches, is_alias, variant
from harness.models.catalog import find_model
from harness.passes.pipeline import run_passes
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import is_rowwise, sums_all_rows
from harness.schedule.inplace import layer_segments
from harness.schedule.plan import InplaceSegment, LayerSegment, Plan, StreamSegment
from harness.schedule.room import give_room
from harness.schedule.search import assemble
from harness.schedule.search import plan as make_plan
from harness.schedule.work import Work, call_features, estimated_instructions

TARGET = Path(__file__).parent.parent / "harness" / "kernels" / "cost_data.py"
ROWS = " by rows"

_ROOM_BYTES = 4096
"""Scratch with which kernels by rows are tried, beside as little as they can do with."""

Floats = npt.NDArray[np.float64]


class Sample(NamedTuple):
    """One op: its class, marked if it was done by rows, its features, its instructions."""

    name: str
    features: Floats
    instructions: float


class Streamed(NamedTuple):
    """A streamed model, and the instructions of its segments by their last ops."""

    plan: Plan
    counts: dict[int, int]


class Fit(NamedTuple):
    """Weights, their median relative error, and over how many samples."""

    weights: tuple[float, ...]
    error: float
    samples: int


def plans(graph: Graph, kernels: KernelSet) -> Iterator[Plan]:
    """Yield what is run of a model, the stream last."""
    yield make_plan(graph, "layer", kernels=kernels)
    yield make_plan(graph, "inplace", kernels=kernels)
    for batch in (1, 4):
        segments = [
            StreamSegment(segment.op, segment.op, batch=batch)
            if is_rowwise(graph, op)
            and not sums_all_rows(graph, op)
            and not is_alias(graph, op)
            and (batch == 1 or goes_in_batches(kernels, graph, op))
            else segment
            for segment, op in zip(layer_segments(graph), graph.ops, strict=True)
        ]
        made = assemble(graph, "rows", segments, kernels)
        yield made
        yield give_room(made, made.planned_peak_bytes + _ROOM_BYTES)
    yield make_plan(graph, "stream", kernels=kernels)


def measured(plan: Plan, counts: dict[int, int]) -> Iterator[Sample]:
    """Yield what was counted of each segment of a plan that is one op."""
    graph = plan.graph
    for number, segment in enumerate(plan.segments):
        count = counts.get(segment.ops[-1], 0)
        if not count:
            continue
        match segment:
            case LayerSegment(position) | InplaceSegment(position):
                op = graph.ops[position]
                operand = segment.operand if isinstance(segment, InplaceSegment) else None
                loops = variant(plan.kernels, graph, op, operand).loops
                found = features(graph, op, loops)
                yield Sample(op_class(graph, op, operand), found, float(count))
            case StreamSegment() if len(segment.ops) == 1:
                scratch = plan.scratch(number)
                made = by_rows(plan, segment, scratch.size_bytes if scratch else 0)
                op = graph.ops[segment.first_op]
                yield Sample(op_class(graph, op, None) + ROWS, made, float(count))


def by_rows(plan: Plan, segment: StreamSegment, scratch: int) -> Floats:
    """Return the features of all calls of the one op of a segment."""
    (share,) = Work(Fusion(plan.graph, plan.kernels)).shares(segment).values()
    made, op = np.zeros(len(ROW_FEATURES)), plan.graph.ops[segment.first_op]
    for rows, columns, times in share.calls:
        call = rows, columns, share.in_batches, scratch
        made += times * call_features(plan.kernels, plan.graph, op, *call)
    return made


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


def fit_classes(samples: Iterable[Sample]) -> dict[str, Fit]:
    """Return one fit for each class that was seen.

    Where kernels tell of their loops, an op without is a portable kernel's, and left out.
    """
    classes: dict[str, list[Sample]] = {}
    for sample in samples:
        classes.setdefault(sample.name, []).append(sample)
    for name, found in classes.items():
        telling = [sample for sample in found if sample.features[-1]]
        classes[name] = telling or found
    return {
        name: fit(
            np.array([sample.features for sample in found]),
            np.array([sample.instructions for sample in found]),
        )
        for name, found in sorted(classes.items())
    }


def fused_errors(streamed: Streamed) -> Iterator[float]:
    """Yield the relative error of each segment of several ops."""
    plan, counts = streamed
    work = Work(Fusion(plan.graph, plan.kernels))
    for number, segment in enumerate(plan.segments):
        if len(segment.ops) > 1 and counts.get(segment.ops[-1]):
            scratch = plan.scratch(number)
            estimate = work.instructions(segment, scratch.size_bytes if scratch else 0)
            yield estimate / counts[segment.ops[-1]] - 1


def error(streamed: Streamed) -> float:
    """Return the relative error of a whole plan."""
    return estimated_instructions(streamed.plan) / sum(streamed.counts.values()) - 1


def source(models: dict[str, Costs]) -> str:
    """Return the text of ``cost_data.py``."""
    text = TARGET.read_text()
    lines = ["COSTS: dict[str, Costs] = {"]
    for isa, model in sorted(models.items()):
        lines += [f'    "{isa}": Costs(', f'        fitted_on="{model.fitted_on}",']
        for title, fits in (("classes", model.classes), ("rows", model.rows)):
            if not fits:
                lines.append(f"        {title}={{}},")
                continue
            lines.append(f"        {title}={{")
            lines += [f'            "{name}": {_text(found)},' for name, found in fits.items()]
            lines.append("        },")
        lines.append(f"        fused_error={model.fused_error:.3f},")
        lines += [f"        fused={model.fused},", "    ),"]
    return text[: text.index("COSTS:")] + "\n".join([*lines, "}"]) + "\n"


def _text(found: cost_data.Fit) -> str:
    weights = ", ".join(f"{weight:.4g}" for weight in found.weights).replace("e+", "e")
    return f"Fit(({weights}), {found.error:.3f}, {found.ops})"


def main() -> int:
    """Run, fit, write."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    options.add_argument("models", nargs="+")
    options.add_argument("--board", default="mps2-an386")
    options.add_argument("--portable", action="store_true", help="fit the portable kernels")
    chosen = options.parse_args()
    board = load_board(chosen.board)
    kernels = PORTABLE if chosen.portable else kernels_for(board.core, "cycles")
    single: list[Sample] = []
    streams: list[Streamed] = []
    for model in chosen.models:
        file = find_model(model)
        try:
            graph = run_passes(read_tflite(file.data, name=file.name))
            for plan in plans(graph, kernels):
                counts = run_plan(plan, board, "cycles").instructions
                single += measured(plan, counts)
            streams.append(Streamed(plan, counts))
            sys.stderr.write(f"{model}: {len(single)} ops so far\n")
        except BenchError as reason:
            sys.stderr.write(f"{model}: left out: {reason}\n")
    fits = fit_classes(single)
    known = {name: Fit(*old) for name, old in costs(kernels).classes.items()}
    known |= {name + ROWS: Fit(*old) for name, old in costs(kernels).rows.items()}
    whole: dict[str, cost_data.Fit] = {}
    rows: dict[str, cost_data.Fit] = {}
    for name, found in sorted((known | fits).items()):
        (rows if name.endswith(ROWS) else whole)[name.removesuffix(ROWS)] = cost_data.Fit(*found)
    # The planner's own estimates of streams, which the fits have not seen, say how good they are.
    COSTS[kernels.isa.value] = Costs(board.name, whole, rows, 0.0, 0)
    fused = [abs(off) for streamed in streams for off in fused_errors(streamed)]
    off = float(np.median(fused)) if fused else 1.0
    COSTS[kernels.isa.value] = Costs(board.name, whole, rows, off, len(fused))
    TARGET.write_text(source(COSTS))
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", str(TARGET)], check=True)
    for name, (_, median, samples) in fits.items():
        sys.stdout.write(f"{name:28} {samples:4} samples, median error {median:.1%}\n")
    sys.stdout.write(f"{'fused':28} {len(fused):4} samples, median error {off:.1%}\n")
    for streamed in streams:
        sys.stdout.write(f"{streamed.plan.graph.name:28} streamed: {error(streamed):+.1%}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
