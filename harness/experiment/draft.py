"""A record in the making: its parts are set one after the other as a case becomes known.

When a case fails on the way, what is set by then is the failed record.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.codegen.sources import Sources
from harness.data import plain
from harness.devices.protocol import Device
from harness.errors import BenchError, DeviceError
from harness.experiment.case import Case, Found, Planned
from harness.experiment.measure import Measured
from harness.experiment.parts import (
    firmware_part,
    flash_part,
    latency_part,
    model_part,
    op_parts,
    schedule_part,
    segments_with_code,
    state_part,
    toolchain_part,
)
from harness.experiment.provenance import tool_part
from harness.experiment.reconcile import reconcile
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
from harness.schedule.plan import Plan
from harness.telemetry.capture import with_source
from harness.toolchain.firmware import Firmware
from harness.toolchain.footprint import symbols


@dataclass(slots=True)
class Draft:
    """The parts of :class:`Record` that are known so far, and the bytes of the wire.

    ``found`` is None as long as a name of the case stands for nothing.
    """

    case: Case
    found: Found | None = None
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

    @property
    def samples(self) -> tuple[float, ...]:
        """The samples of the latency, none before it is measured."""
        return self.latency.samples if self.latency else ()

    def note_found(self, found: Found) -> None:
        """Set what is known once the names are found."""
        self.found = found
        board = found.board
        self.board = BoardPart(name=board.name, mcu=board.mcu, core=board.core.value)

    def note_planned(self, found: Found, planned: Planned) -> None:
        """Set what is known once the model is read and planned."""
        self.model = model_part(found.model, planned)
        self.schedule = schedule_part(found.case.schedule, planned.plan)

    def note_firmware(self, firmware: Firmware) -> None:
        """Set what is known once the image is built."""
        self.toolchain = toolchain_part(firmware)
        self.firmware = firmware_part(firmware)
        self.flash = flash_part(firmware)
        if self.schedule is not None:
            segments = segments_with_code(self.schedule.segments, symbols(firmware.elf))
            self.schedule = self.schedule.model_copy(update={"segments": segments})

    def note_device(self, found: Found, device: Device) -> None:
        """Set what executes the image."""
        self.device = DevicePart(
            kind=device.kind.value,
            stand_in=found.target.stand_in or found.is_simulated,
            detail=device.detail,
        )

    def note_measured(
        self, plan: Plan, firmware: Firmware, sources: Sources, measured: Measured
    ) -> None:
        """Set what the device measured."""
        self.capture = measured.capture
        if self.device is not None:
            self.device = self.device.model_copy(update={"state": state_part(measured.state)})
        self.latency = latency_part(measured, self.case.warmup)
        self.sram = reconcile(plan, firmware.footprint, measured.sram)
        self.ops = op_parts(plan, sources, measured)

    def finish(self, error: BenchError | None) -> tuple[Record, bytes]:
        """Return the record, and the bytes that went over the wire."""
        now = datetime.now(UTC)
        record = Record(
            status="ok" if error is None else "failed",
            id=self._id(now),
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
        )
        capture = error.capture if isinstance(error, DeviceError) else self.capture
        source = self.found.target.kind.value if self.found else ""
        return record, with_source(capture, source)

    def _id(self, now: datetime) -> str:
        """Return a name that sorts by time and that no other writer has."""
        model = self.found.model.name if self.found else Path(self.case.model).stem
        board = self.board.name if self.board else Path(self.case.board).stem
        kind = self.found.kind.value if self.found else self.case.device.partition(":")[0]
        names = "-".join(map(plain, (model, board, kind)))
        return f"{now:%Y%m%dT%H%M%SZ}-{names}-{uuid.uuid4().hex[:8]}"

    def _case_part(self) -> CasePart:
        return CasePart(
            board=self.case.board,
            model=self.case.model,
            device=self.case.device,
            lab=self.case.lab,
            flash=self.case.flash,
            schedule=self.case.schedule,
            sram_limit=self.case.sram_limit,
            flash_limit=self.case.flash_limit,
            input_by_rows=self.case.input_by_rows,
            patch=self.case.patch,
            optimize=self.case.optimize,
            passes=self.case.passes,
            builder=self.case.builder,
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
