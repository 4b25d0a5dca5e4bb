"""Records as a sweep makes them, without building or running anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from harness.results.record import (
    BoardPart,
    CasePart,
    CorrectnessPart,
    DevicePart,
    ErrorPart,
    FlashPart,
    LatencyPart,
    ModelPart,
    OpPart,
    Record,
    SchedulePart,
    SramPart,
    ToolchainPart,
    ToolPart,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
SHA = "0123456789abcdef" * 4
OPS = (700, 200, 100)
"""Instructions of each op."""


def make_record(
    number: int = 0,
    *,
    model: str = "kws",
    board: str = "nucleo-f746zg",
    schedule: str = "layer",
    sram_limit: int | None = None,
    commit: str = "a" * 40,
    kernels: str = "k1",
    ops: Sequence[int] = OPS,
    peak: int = 16_000,
    flash: int = 60_000,
) -> Record:
    """Return an emulated case; ``ops`` are instructions, which the latency sums up."""
    total = sum(ops)
    return Record(
        status="ok",
        id=f"r{number:05}",
        created=(START + timedelta(seconds=number)).isoformat(timespec="seconds"),
        tool=ToolPart(version="0.1.0", git_commit=commit),
        case=CasePart(
            board=board, model=model, device="qemu", schedule=schedule, sram_limit=sram_limit,
            optimize="cycles", inputs="seeded", warmup=1, repeat=3,
        ),
        model=ModelPart(name=model, sha256=SHA, weights="pretrained", macs=1000, parameters=10),
        board=BoardPart(name=board, mcu="STM32F746ZGT6", core="cortex-m7"),
        device=DevicePart(kind="qemu", stand_in=True, detail="QEMU"),
        schedule=SchedulePart(
            requested=schedule, chosen=schedule, recompute_ratio=1.0, segments=()
        ),
        toolchain=ToolchainPart(compiler="gcc", version="12.2", flags=("-O3",), kernels=kernels),
        latency=LatencyPart(
            instructions=total, clock="qemu-icount", caches="not modelled", warmup=1,
            samples=(total,) * 3,
        ),
        sram=SramPart(
            arena_bytes=peak, scratch_bytes=0, static_bytes=2000, stack_bytes=300,
            planned_peak_bytes=peak, linked_bytes=peak + 4000, measured_peak_bytes=peak + 2300,
            gaps=(),
        ),
        flash=FlashPart(code_bytes=flash - 50_000, weights_bytes=50_000, total_bytes=flash),
        correctness=CorrectnessPart(reference="interpreter", bit_exact=True, max_abs_diff=0),
        ops=tuple(
            OpPart(index=n, kind="conv2d", name=f"op{n}", macs=10, segment="layer", instructions=i)
            for n, i in enumerate(ops)
        ),
    )  # fmt: skip


def make_timed(
    number: int, samples: Sequence[float], *, model: str = "kws", commit: str = "a" * 40
) -> Record:
    """Return a case on hardware, in cycles."""
    emulated = make_record(number, model=model, commit=commit)
    return emulated.model_copy(
        update={
            "device": DevicePart(kind="hardware", stand_in=False),
            "latency": LatencyPart(
                cycles=int(sorted(samples)[len(samples) // 2]),
                clock="dwt", caches="on", warmup=1, samples=tuple(samples),
            ),
            "ops": (),
        }
    )  # fmt: skip


def make_failed(number: int = 0, *, model: str = "kws", message: str = "no answer") -> Record:
    """Return a case that its device did not answer."""
    whole = make_record(number, model=model)
    error = ErrorPart(type="NoAnswerError", message=message, exit_code=3)
    parts = ("latency", "sram", "flash", "correctness", "toolchain", "device")
    return whole.model_copy(
        update={"status": "failed", "error": error, "ops": (), **dict.fromkeys(parts)}
    )
