"""Firmware to capture: what one device measures and answers for the inputs of a case.

The order: upload the inputs, or get ready to hand out their rows; run twice over painted memory;
run warm-ups and measured inferences; read the outputs; run once more op by op. Only the measured
inferences make the latency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.devices.clock import Clock
from harness.devices.protocol import Device
from harness.errors import NothingMeasuredError
from harness.experiment.case import Case
from harness.experiment.deadline import DeadlineConsole
from harness.experiment.outputs import decode_outputs
from harness.ir import Graph
from harness.ir.tensor import Array
from harness.models.preprocess import Inputs
from harness.telemetry.board_state import BoardState
from harness.telemetry.link import Patience
from harness.telemetry.messages import Progress, Samples
from harness.telemetry.session import Session, SramUse
from harness.toolchain.firmware import Firmware

_HELLO_S = 10.0
"""What a board may take to start up, where the whole run may take longer."""

Report = Callable[[str, int, int], None]
"""``report(stage, done, total)`` hears of progress; total 0 means that nobody knows."""

Live = Callable[[str], None]
"""Hears what each inference took as soon as the board has told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came back: ticks of inferences and of steps, SRAM, outputs of each sample."""

    clock: Clock
    state: BoardState
    latency: Samples
    steps: Samples
    sram: SramUse
    outputs: tuple[tuple[Array, ...], ...]
    capture: bytes


def measure(
    case: Case,
    graph: Graph,
    inputs: Inputs,
    device: Device,
    firmware: Firmware,
    report: Report,
    live: Live = lambda _: None,
) -> Measured:
    """Run a firmware on a device and return what it measured.

    Raises:
        DeviceError: anything between us and the board went wrong; carries the capture.
        NothingMeasuredError: the run ended without a measured inference.
    """
    sizes = [graph.tensor(t).size_bytes for t in graph.outputs]
    total = case.warmup + len(inputs.samples) * case.repeat
    latencies: list[Samples] = []
    outputs: list[tuple[Array, ...]] = []
    before = 0

    def uploading(done: int, size: int) -> None:
        report("uploading", done, size)

    def running(progress: Progress) -> None:
        report("running", before + progress.done, total)
        if progress.done:
            live(_window(clock, progress, session.trouble))

    def upload(sample: tuple[Array, ...]) -> None:
        if hello.fetched_bytes:
            session.serve(b"".join(_bytes(sample)), grain=clock.grain)
        else:
            session.load(_bytes(sample), uploading)

    patience = Patience(hello_s=min(_HELLO_S, case.timeout_s), silence_s=case.timeout_s)
    report("booting", 0, 0)
    with device.open(firmware) as console:
        session = Session(DeadlineConsole(console, case.timeout_s), patience=patience)
        hello = session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
        clock, state = device.clock(hello), session.board()
        upload(inputs.samples[0])
        report("painting", 0, 0)
        sram = session.sram()
        for position, sample in enumerate(inputs.samples):
            warmup = 0 if position else case.warmup
            if position:
                upload(sample)
            latencies.append(session.run(warmup=warmup, repeat=case.repeat, on_progress=running))
            outputs.append(tuple(decode_outputs(graph, session.outputs(sizes))))
            before += warmup + case.repeat
        report("counting ops", 0, 0)
        steps = session.profile()
    ticks = tuple(ticks for run in latencies for ticks in run.ticks)
    if not any(ticks):
        raise NothingMeasuredError(
            f"{graph.name}: the run ended without a measured inference",
            hint="the board's clock may stand still; see the capture",
        )
    return Measured(
        clock=clock,
        state=state,
        latency=Samples(ticks, min(run.overhead_ticks for run in latencies)),
        steps=steps,
        sram=sram,
        outputs=tuple(outputs),
        capture=session.capture.encode(),
    )


def _window(clock: Clock, progress: Progress, trouble: str) -> str:
    """Return what the last inference took; reading the clock, taken off later, is still in it."""
    figure = clock.measure(progress.ticks, 0)
    shown = f"{figure:.6f}" if isinstance(figure, float) else f"{figure:,}"
    line = f"; the line: {trouble}" if trouble else ""
    return f"{progress.done} of {progress.total}: {shown} {clock.unit.value}{line}"


def _bytes(sample: tuple[Array, ...]) -> list[bytes]:
    """Return tensors as a core here has them, little endian."""
    return [array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes() for array in sample]
