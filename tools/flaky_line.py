"""Runs a small model many times over a serial line that misbehaves, in one command.

    python tools/flaky_line.py [--runs 200] [--model kws] [--seed 0] [--out docs/flaky-line.md]

The firmware is the real runtime, built for this computer; between it and pyserial lies a line that
drops, flips, tears and stalls a byte in a thousand each, both ways, and is unplugged in one run of
ten. A run is *right* if its outputs are those of the reference and each of its figures is one that
the board said, *refused* if it ended with a named error. There must be no other.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from harness.board.load import load_board
from harness.board.schema import Board
from harness.codegen.model_c import generate
from harness.devices.bad_line import BadLine, Faults
from harness.devices.hardware import HardwareDevice
from harness.devices.pipe import running
from harness.errors import DeviceError
from harness.experiment.case import Case, find, plan_case
from harness.experiment.measure import Measured, measure
from harness.ir import Graph
from harness.ir.tensor import Array
from harness.lab.open import OpenLab
from harness.lab.schema import Place, Serial
from harness.models.preprocess import Inputs, load_inputs
from harness.reference.interpreter import run as run_reference
from harness.telemetry.capture import Capture, Direction
from harness.telemetry.frames import Decoder
from harness.telemetry.messages import ANSWER, Paint, Profile, Run
from harness.telemetry.session import SramUse
from harness.toolchain.firmware import Firmware
from harness.toolchain.gcc import build

CHANCE = 1e-3
UNPLUGGED = 10
"""One run of so many is unplugged once."""
AWAY_S = 1.0
TIMEOUT_S = 60.0
BOARD = "mps2-an386"


@dataclass(frozen=True, slots=True)
class Subject:
    """What every run repeats: a model, its inputs, its image and what the reference makes of it.

    ``said_bytes`` is what the board says in a run on a sound line.
    """

    case: Case
    board: Board
    graph: Graph
    inputs: Inputs
    expected: tuple[Array, ...]
    firmware: Firmware
    said_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How one run ended: ``right``, ``refused: NAME`` or ``wrong: WHAT``, and what it took."""

    end: str
    unplugged: bool
    took_s: float
    resends: int
    recovery_s: float


class NativeFlasher:
    """Programs nothing: starts the native image and plugs it into the line."""

    name = "native"

    def __init__(self, line: BadLine, stack: contextlib.ExitStack) -> None:
        self._line = line
        self._stack = stack

    def program(self, firmware: Firmware, _board: Board, _place: Place) -> None:
        """Start the image."""
        child = self._stack.enter_context(
            running("the board", [str(firmware.elf)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        assert child.process.stdin is not None
        assert child.process.stdout is not None
        self._line.attach(child.process.stdout.fileno(), child.process.stdin.fileno())

    def reset(self, _board: Board, _place: Place) -> None:
        """Do nothing: a process that was started is at its beginning."""


def prepare(model: str, folder: Path) -> Subject:
    """Build the image of a model for this computer."""
    case = Case(board=BOARD, model=model, device="host", repeat=3, timeout_s=TIMEOUT_S)
    found = find(case)
    planned = plan_case(found)
    inputs = load_inputs(None, planned.imported, found.model.entry)
    firmware = build(generate(planned.plan, target=found.target), found.target, out_dir=folder)
    expected = run_reference(planned.imported, inputs.samples[0])
    subject = Subject(case, load_board(BOARD), planned.imported, inputs, tuple(expected), firmware)
    with plugged(Faults(), folder, 0) as (line, device):
        measure(case, subject.graph, inputs, device, firmware, _quiet)
    return replace(subject, said_bytes=len(line.said))


@contextlib.contextmanager
def plugged(faults: Faults, folder: Path, seed: int) -> Iterator[tuple[BadLine, HardwareDevice]]:
    """Yield a line, and the device at whose end of it a native image will run."""
    line = BadLine(folder / f"port-{seed}", faults, seed=seed)
    place = Place(board=BOARD, serial=Serial(port=str(line.link)))
    lab = OpenLab(name="flaky", places={"board": place}, detail="a flaky line")
    with contextlib.ExitStack() as stack:
        # The carrier is put away first: nobody may use the pipes of a process that has ended.
        flasher = NativeFlasher(line, stack)
        device = HardwareDevice(lab, load_board(BOARD), flasher)
        with line.running():
            yield line, device


def attempt(subject: Subject, folder: Path, seed: int, *, unplug: bool, cut: float = 0.0) -> Trial:
    """Run once over a flaky line, with BREAKs if ``cut`` says so, and judge what came back."""
    random = Random(f"unplug {seed}")
    faults = Faults(
        drop=CHANCE,
        flip=CHANCE,
        chunk=CHANCE,
        stall=CHANCE,
        cut=cut,
        unplug_after=random.randrange(subject.said_bytes) if unplug else None,
        away_s=AWAY_S,
    )
    began = time.monotonic()
    with plugged(faults, folder, seed) as (line, device):
        try:
            measured = measure(
                subject.case, subject.graph, subject.inputs, device, subject.firmware, _quiet
            )
        except DeviceError as error:
            end, capture = f"refused: {type(error).__name__}", error.capture
        else:
            end, capture = judge(subject, measured, bytes(line.said)), measured.capture
    resends, recovery_s = recoveries(Capture.decode(capture)) if capture else (0, 0.0)
    return Trial(
        end=end,
        unplugged=line.unplugged_at is not None,
        took_s=time.monotonic() - began,
        resends=resends,
        recovery_s=recovery_s,
    )


def judge(subject: Subject, measured: Measured, said: bytes) -> str:
    """Return ``right`` if every figure and output is what the board said and the reference says."""
    for found, expected in zip(measured.outputs[0], subject.expected, strict=True):
        if not (found == expected).all():
            return "wrong: outputs"
    answers: dict[int, list[bytes]] = {}
    for frame in Decoder().feed(said):
        answers.setdefault(frame.type, []).append(frame.payload)
    told = [Run(0, 3).parse(payload) for payload in answers[Run.TYPE | ANSWER]]
    if measured.latency not in told:
        return "wrong: latency"
    if measured.steps not in [Profile(0).parse(p) for p in answers[Profile.TYPE | ANSWER]]:
        return "wrong: steps"
    if not _is_told(measured.sram, answers[Paint.TYPE | ANSWER]):
        return "wrong: SRAM"
    return "right"


def _is_told(sram: SramUse, answers: list[bytes]) -> bool:
    painted = [Paint(0).parse(payload) for payload in answers]
    return sram.arena_high_water == max(each.arena_high_water for each in painted)


def recoveries(capture: Capture) -> tuple[int, float]:
    """Return how many requests went out again, and the longest that one took until its answer."""
    decoder = Decoder()
    resends, longest_s = 0, 0.0
    current, first_s, is_again = None, 0.0, False
    for traffic in capture.traffic:
        if traffic.direction is Direction.FROM_BOARD:
            continue
        for frame in decoder.feed(traffic.data):
            if frame == current:
                resends, is_again = resends + 1, True
                continue
            if is_again:
                longest_s = max(longest_s, traffic.time_s - first_s)
            current, first_s, is_again = frame, traffic.time_s, False
    return resends, longest_s


def table(trials: list[Trial], model: str) -> str:
    """Return the trials as a table in Markdown."""
    lines = [
        f"| {model}, {len(trials)} runs | unplugged once | not unplugged |",
        "|-|-:|-:|",
    ]
    groups = [[t for t in trials if t.unplugged is wanted] for wanted in (True, False)]
    ends = Counter(trial.end for trial in trials)
    for end in sorted(ends | Counter({"right": 0})):
        counts = [sum(trial.end == end for trial in group) for group in groups]
        lines.append(f"| {end} | {counts[0]} | {counts[1]} |")
    for name, figures in (
        ("requests sent again", [sum(t.resends for t in group) for group in groups]),
        ("worst recovery, s", [max((t.recovery_s for t in g), default=0.0) for g in groups]),
        ("worst run, s", [max((t.took_s for t in g), default=0.0) for g in groups]),
    ):
        shown = (f"{f:.2f}" if isinstance(f, float) else str(f) for f in figures)
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run all trials and print the table."""
    parser = argparse.ArgumentParser(description="runs over a serial line that misbehaves")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--model", default="kws")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        subject = prepare(asked.model, folder / "build")
        trials = [
            attempt(subject, folder, seed, unplug=seed % UNPLUGGED == 0)
            for seed in range(asked.seed, asked.seed + asked.runs)
        ]
    text = table(trials, asked.model)
    sys.stdout.write(text)
    if asked.out is not None:
        title = f"Measured on {platform.system()} {platform.machine()} by `tools/flaky_line.py`.\n"
        asked.out.write_text(f"{title}\n{text}", encoding="utf-8")
    return int(any(trial.end.startswith("wrong") for trial in trials))


def _quiet(_stage: str, _done: int, _total: int) -> None:
    """Nobody watches."""


if __name__ == "__main__":
    sys.exit(main())
