"""One case, end to end: found, planned, built, measured, compared, recorded.

A case that fails on the way leaves a record of what was known by then, with its capture. Only a
name that does not exist leaves none: there is nothing to record.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.codegen.model_c import generate
from harness.devices.renode_process import KeptRenode
from harness.errors import BenchError, OutputsDifferError, StoreError, UsageError
from harness.experiment.build import build_case
from harness.experiment.case import Case, Found, Planned, find, plan_case
from harness.experiment.caveats import caveats
from harness.experiment.correctness import compare_outputs
from harness.experiment.device import device_of
from harness.experiment.draft import Draft
from harness.experiment.fit import check_flash, check_sram
from harness.experiment.measure import Live, Report, measure
from harness.ir.tensor import Array
from harness.models.catalog import Weights
from harness.models.preprocess import interpret_outputs, load_inputs
from harness.reference.interpreter import run as run_reference
from harness.results.record import Record
from harness.results.store import append, prepare


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A record, where it was written, the outputs of each sample, and the error if it failed.

    ``planned`` is what was run, if it came so far. ``capture`` is what went over the wire.
    ``stacked`` says that the inputs had a leading axis of samples, so the outputs have one too.
    """

    record: Record
    path: Path | None
    planned: Planned | None = None
    capture: bytes = b""
    outputs: tuple[tuple[Array, ...], ...] = ()
    stacked: bool = False
    error: BenchError | None = None


def run_case(
    case: Case,
    *,
    store: Path | None,
    report: Report = lambda *_: None,
    live: Live = lambda _: None,
    kept: KeptRenode | None = None,
) -> Outcome:
    """Run a case and return its outcome; a failure after the names were found is one too.

    What was measured is never lost to a store that fails at the end: the outcome then has the
    record, no path, and the error. ``live`` hears of each inference; ``kept`` saves the
    start of a Renode where cases follow another.

    Raises:
        UsageError: a board, model, device or schedule that does not exist.
        StoreError: the store cannot be written; told before anything is built.
    """
    draft = Draft(case)
    outputs: tuple[tuple[Array, ...], ...] = ()
    stacked, error, planned = False, None, None
    try:
        report("planning", 0, 0)
        found = find(case)
        draft.note_found(found)
        if store is not None:
            prepare(store)
        planned = plan_case(found)
        draft.note_planned(found, planned)
        check_sram(planned.plan, found.board, case.sram_limit)
        inputs = load_inputs(case.inputs, planned.imported, found.model.entry)
        stacked = inputs.stacked
        report("interpreting", 0, 0)
        expected = [run_reference(planned.imported, sample) for sample in inputs.samples]
        report("building", 0, 0)
        sources = generate(planned.plan, target=found.target)
        firmware = build_case(found, sources)
        draft.note_firmware(firmware)
        check_flash(found.model.name, firmware.footprint, case.flash_limit)
        with device_of(found, report, kept) as device:
            draft.note_device(found, device)
            measured = measure(case, planned.imported, inputs, device, firmware, report, live)
        outputs = measured.outputs
        draft.note_measured(planned.plan, firmware, sources, measured)
        draft.warnings = caveats(
            found, planned.plan, draft.samples, device.capabilities, measured.state
        )
        if found.model.weights is not Weights.SYNTHETIC:
            draft.answer = interpret_outputs(found.model.entry, planned.imported, outputs[0])
        draft.correctness = compare_outputs(outputs, expected)
        if not draft.correctness.bit_exact:
            raise _outputs_differ(found)
    except (UsageError, StoreError):
        raise
    except BenchError as failure:
        error = failure
    record, capture = draft.finish(error)
    path = None
    if store is not None:
        try:
            record, path = append(store, record, capture)
        except StoreError as failure:
            error = error or failure
    return Outcome(
        record=record,
        path=path,
        planned=planned,
        capture=capture,
        outputs=outputs,
        stacked=stacked,
        error=error,
    )


def _outputs_differ(found: Found) -> OutputsDifferError:
    return OutputsDifferError(
        f"{found.model.name} on {found.target.board}: outputs differ from the reference",
        hint="this is a fault of bench, not of the model; please report it with the record",
    )
