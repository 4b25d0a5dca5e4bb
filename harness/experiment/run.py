"""One case, end to end: prepared, built, measured, compared, recorded.

A case that fails on the way leaves a record of what was known by then, with its capture. Only a
name that does not exist leaves none: there is nothing to record.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.codegen.generate import generate
from harness.devices.protocol import Capability, Device
from harness.devices.registry import open_device
from harness.errors import BenchError, OutputsDifferError, UsageError
from harness.experiment.case import Case, Prepared, prepare
from harness.experiment.caveats import caveats
from harness.experiment.correctness import compare_outputs
from harness.experiment.draft import Draft
from harness.experiment.measure import Measured, Report, measure
from harness.experiment.parts import (
    firmware_part,
    flash_part,
    latency_part,
    model_part,
    op_parts,
    schedule_part,
    toolchain_part,
)
from harness.experiment.reconcile import reconcile
from harness.ir.tensor import Array
from harness.models.preprocess import interpret_outputs, load_inputs
from harness.reference.interpreter import run as run_reference
from harness.results.record import BoardPart, DevicePart, Record
from harness.toolchain.firmware import Firmware
from harness.toolchain.gcc import build
from harness.toolchain.workspace import build_dir


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A record, where it was written, the outputs of each sample, and the error if it failed.

    ``stacked`` says that the inputs had a leading axis of samples, so the outputs have one too.
    """

    record: Record
    path: Path | None
    outputs: tuple[tuple[Array, ...], ...] = ()
    stacked: bool = False
    error: BenchError | None = None


def run_case(case: Case, *, store: Path | None, report: Report = lambda *_: None) -> Outcome:
    """Run a case and return its outcome; a failure after the names were found is one too.

    Raises:
        UsageError: a board, model, device or schedule that does not exist.
        StoreError: the record cannot be written.
    """
    draft = Draft(case)
    outputs: tuple[tuple[Array, ...], ...] = ()
    stacked, error = False, None
    try:
        report("planning", 0, 0)
        prepared = prepare(case)
        _note_prepared(draft, prepared)
        inputs = load_inputs(case.inputs, prepared.imported, prepared.model.entry)
        stacked = inputs.stacked
        report("interpreting", 0, 0)
        expected = [run_reference(prepared.imported, sample) for sample in inputs.samples]
        report("building", 0, 0)
        sources = generate(prepared.plan, target=prepared.target)
        firmware = build(
            sources,
            prepared.target,
            out_dir=build_dir(sources, prepared.target, case.optimize),
            optimize=case.optimize,
        )
        _note_firmware(draft, firmware)
        device = open_device(prepared.kind, capture=prepared.capture)
        draft.device = _device_part(prepared, device)
        measured = measure(case, prepared.imported, inputs, device, firmware, report)
        outputs = measured.outputs
        _note_measured(draft, prepared, device, firmware, measured)
        draft.ops = op_parts(prepared.plan, sources, measured)
        draft.answer = interpret_outputs(prepared.model.entry, prepared.imported, outputs[0])
        draft.correctness = compare_outputs(outputs, expected)
        if not draft.correctness.bit_exact:
            raise _outputs_differ(prepared)
    except UsageError:
        raise
    except BenchError as failure:
        error = failure
    record, path = draft.finish(error, store)
    return Outcome(record=record, path=path, outputs=outputs, stacked=stacked, error=error)


def _note_prepared(draft: Draft, prepared: Prepared) -> None:
    board = prepared.board
    draft.model = model_part(prepared)
    draft.board = BoardPart(name=board.name, mcu=board.mcu, core=board.core.value)
    draft.schedule = schedule_part(prepared)


def _note_firmware(draft: Draft, firmware: Firmware) -> None:
    draft.toolchain = toolchain_part(firmware)
    draft.firmware = firmware_part(firmware)
    draft.flash = flash_part(firmware)


def _note_measured(
    draft: Draft, prepared: Prepared, device: Device, firmware: Firmware, measured: Measured
) -> None:
    draft.capture = measured.capture
    draft.latency = latency_part(measured, prepared.case.warmup)
    draft.sram = reconcile(prepared.plan, firmware.footprint, measured.sram)
    draft.warnings = caveats(
        prepared,
        draft.latency.samples,
        deterministic=Capability.EXACT_COUNT in device.capabilities,
    )


def _device_part(prepared: Prepared, device: Device) -> DevicePart:
    return DevicePart(
        kind=device.kind.value, stand_in=prepared.target.stand_in, detail=device.detail
    )


def _outputs_differ(prepared: Prepared) -> OutputsDifferError:
    return OutputsDifferError(
        f"{prepared.model.name} on {prepared.target.board}: outputs differ from the reference",
        hint="this is a fault of bench, not of the model; please report it with the record",
    )
