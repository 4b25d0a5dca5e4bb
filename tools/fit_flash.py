"""Reads from the compiler's objects what the code of kernels takes in flash, in one command.

    python tools/fit_flash.py MODEL... --board mps2-an386
    python tools/fit_flash.py MODEL --runtime

The first compiles each model under several schedules for each optimization, finds which function
leads to which by their relocations, and writes both into ``harness/kernels/flash_data.py``; what
other cores have stays. The second links one model for every board and notes what of the image is
not the model's. Run the first after any change to a kernel, both after a change of compiler.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from pprint import pformat
from statistics import median

from harness.board.load import board_names, load_board
from harness.board.schema import DeviceKind, TimingTable
from harness.board.target import target_for
from harness.codegen.model_c import generate
from harness.errors import BenchError, DeviceNotFoundError
from harness.importer.tflite import read_tflite
from harness.ir import Graph
from harness.kernels.flash_data import CODE, RUNTIME, Code
from harness.kernels.kernel_set import KernelSet, kernels_for
from harness.models.catalog import find_model
from harness.passes.pipeline import run_passes
from harness.schedule.flash import STEP_BYTES, FlashOf
from harness.schedule.plan import AliasSegment, Plan
from harness.schedule.search import pareto
from harness.schedule.search import plan as make_plan
from harness.toolchain.gcc import build
from tools.fit_cost import plans
from tools.flash_object import compiled
from tools.flash_seen import Seen, look

TARGET = Path(__file__).parent.parent / "harness" / "kernels" / "flash_data.py"


def cut_plans(graph: Graph, kernels: KernelSet) -> Iterator[Plan]:
    """Yield plans with patches and with stripes, of which one model shows enough."""
    yield make_plan(graph, "patch", kernels=kernels)
    yield pareto(graph, kernels)[-1]


def measured(board: str, optimize: str, models: Sequence[str]) -> Code:
    """Return what the objects of models show."""
    facts, seen = load_board(board), Seen()
    target = target_for(facts, DeviceKind.QEMU)
    kernels = kernels_for(facts.core, optimize)
    tables = [table for table in TimingTable if table.value == facts.core.value]
    timed = [replace(kernels, timing=table) for table in tables if optimize == "cycles"]
    objects = []
    for model in models:
        try:
            file = find_model(model)
            graph = run_passes(read_tflite(file.data, name=file.name))
            more = cut_plans(graph, kernels) if model == models[0] else ()
            by_cycles = (made for some in timed for made in plans(graph, some))
            for made in chain(plans(graph, kernels), more, by_cycles):
                found, weights = compiled(made, target, optimize)
                look(seen, made, found)
                steps = sum(not isinstance(s, AliasSegment) for s in made.segments)
                objects.append((made, found.model_bytes + weights + STEP_BYTES * steps))
        except BenchError as error:
            sys.stderr.write(f"{model} is left out: {error}\n")
    code = seen.code(board)
    CODE[f"{kernels.isa.value} {optimize}"] = code
    errors = [
        abs(FlashOf(made.graph, made.kernels).plan(made).total_bytes - size)
        for made, size in objects
    ]
    return code._replace(error=round(median(errors)), most=max(errors), plans=len(errors))


def runtime(model: str) -> dict[str, int]:
    """Return what of an image is not its model's, by port and core."""
    found: dict[str, int] = {}
    for name in board_names():
        for kind in (DeviceKind.QEMU, DeviceKind.HARDWARE):
            board = load_board(name)
            try:
                target = target_for(board, kind)
            except DeviceNotFoundError:
                continue
            file = find_model(model)
            graph = run_passes(read_tflite(file.data, name=file.name))
            plan = make_plan(graph, "inplace", kernels=kernels_for(board.core, "size"))
            made, weights = compiled(plan, target, "size")
            with tempfile.TemporaryDirectory() as scratch:
                sources = generate(plan, target=target)
                image = build(sources, target, out_dir=Path(scratch), optimize="size")
            steps = STEP_BYTES * len(sources.steps)
            rest = image.footprint.flash_bytes - made.model_bytes - weights - steps
            found[f"{target.port} {board.core.value}"] = rest
    return found


def source(code: dict[str, Code], runtimes: dict[str, int]) -> str:
    """Return the text of ``flash_data.py``."""
    text = TARGET.read_text(encoding="utf-8")
    head = text[: text.index("CODE: dict")]
    tables = ",\n".join(f"{name!r}: {_text(found)}" for name, found in sorted(code.items()))
    return (
        f"{head}CODE: dict[str, Code] = {{\n{tables}\n}}\n\n"
        f"RUNTIME: dict[str, int] = {pformat(runtimes)}\n"
        '"""Bytes of an image that are not its model\'s, by port and core."""\n'
    )


def _text(code: Code) -> str:
    fields = ", ".join(f"{name}={value!r}" for name, value in code._asdict().items())
    return f"Code({fields})"


def main() -> int:
    """Measure, write, and say what the errors are."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("models", nargs="+")
    options.add_argument("--board", default="mps2-an386")
    options.add_argument("--runtime", action="store_true", help="measure what is not the model's")
    chosen = options.parse_args()
    runtimes = dict(RUNTIME)
    if chosen.runtime:
        runtimes = runtime(chosen.models[0])
    else:
        isa = kernels_for(load_board(chosen.board).core, "cycles").isa.value
        for optimize in ("cycles", "instructions", "size"):
            code = measured(chosen.board, optimize, chosen.models)
            if optimize == "instructions" and code == CODE[f"{isa} cycles"]:
                del CODE[f"{isa} instructions"]
                continue
            CODE[f"{isa} {optimize}"] = code
            sys.stdout.write(
                f"{isa} {optimize}: {code.error} B, at most {code.most}, of {code.plans} plans\n"
            )
    TARGET.write_text(source(CODE, runtimes), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", str(TARGET)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
