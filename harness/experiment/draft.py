"""A record in the making: its parts are set one after the other as a case becomes known.

When a case fails on the way, what is set by then is the failed record.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import BenchError, DeviceError
from harness.experiment.case import Case
from harness.experiment.provenance import tool_part
from harness.results.record import (
    BoardPart,
    CasePart,
    CorrectnessPart,
    DevicePart,
    ErrorPart,
    FirmwarePart,
    FlashPart,
    LatencyPart,
    ModelPart,
    OpPart,
    Record,
    SchedulePart,
    SramPart,
    ToolchainPart,
)
from harness.results.store import append, append_capture


@dataclass(slots=True)
class Draft:
    """The parts of :class:`Record` that are known so far, and the bytes of the wire."""

    case: Case
    model: ModelPart | None = None
    board: BoardPart | None = None
    device: DevicePart | None = None
    schedule: SchedulePart | None = None
    toolchain: ToolchainPart | None = None
    firmware: FirmwarePart | None = None
    latency: LatencyPart | None = None
    sram: SramPart | None = None
    flash: FlashPart | None = None
    correctness: CorrectnessPart | None = None
    answer: str | None = None
    ops: tuple[OpPart, ...] = ()
    warnings: tuple[str, ...] = ()
    capture: bytes = b""

    def finish(self, error: BenchError | None, store: Path | None) -> tuple[Record, Path | None]:
        """Return the record, and where it was written if there is a store.

        Raises:
            StoreError: the store cannot be written.
        """
        now = datetime.now(UTC)
        record_id = self._id(now)
        capture = error.capture if isinstance(error, DeviceError) else self.capture
        kept = append_capture(store, record_id, capture) if store and capture else None
        record = Record(
            status="ok" if error is None else "failed",
            id=record_id,
            created=now.isoformat(timespec="seconds"),
            tool=tool_part(),
            case=self._case_part(),
            model=self.model,
            board=self.board,
            device=self.device,
            schedule=self.schedule,
            toolchain=self.toolchain,
            firmware=self.firmware,
            latency=self.latency,
            sram=self.sram,
            flash=self.flash,
            correctness=self.correctness,
            answer=self.answer,
            ops=self.ops,
            warnings=self.warnings,
            error=None if error is None else _error_part(error),
            capture=None if kept is None else str(kept),
        )
        return record, append(store, record) if store else None

    def _id(self, now: datetime) -> str:
        """Return a name that sorts by time and that no other writer has."""
        model = self.model.name if self.model else "model"
        board = self.board.name if self.board else "board"
        kind = self.device.kind if self.device else "none"
        return f"{now:%Y%m%dT%H%M%SZ}-{model}-{board}-{kind}-{uuid.uuid4().hex[:8]}"

    def _case_part(self) -> CasePart:
        return CasePart(
            board=self.case.board,
            model=self.case.model,
            device=self.case.device,
            schedule=self.case.schedule,
            sram_limit=self.case.sram_limit,
            optimize=self.case.optimize,
            inputs="seeded" if self.case.inputs is None else str(self.case.inputs),
            warmup=self.case.warmup,
            repeat=self.case.repeat,
        )


def _error_part(error: BenchError) -> ErrorPart:
    return ErrorPart(
        type=type(error).__name__,
        message=error.message,
        hint=error.hint,
        exit_code=error.exit_code,
    )
