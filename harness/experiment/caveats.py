"""What a reader of a record must know so as not to misread it."""

from __future__ import annotations

from harness.board.schema import DeviceKind
from harness.experiment.case import Prepared
from harness.models.catalog import Weights


def caveats(
    prepared: Prepared, samples: tuple[float, ...], *, deterministic: bool
) -> tuple[str, ...]:
    """Return the warnings of one case, as sentences."""
    target = prepared.target
    notes: list[str] = []
    if target.kind is DeviceKind.QEMU:
        notes.append("instructions are counted on an emulator; they are neither cycles nor seconds")
    if target.stand_in:
        notes.append(
            f"{target.machine} stands in for {target.board}: the same core ({target.core.value}) "
            "and memory sizes, but not its clocks, caches, wait states or peripherals"
        )
    if target.kind is DeviceKind.HOST:
        notes.append(
            f"the host ran a native build; nothing here tells how fast {target.board} would be"
        )
    if prepared.model.weights is Weights.SYNTHETIC:
        notes.append("weights: synthetic; outputs are exact but their meaning is not")
    notes += prepared.model.notes
    if deterministic and len(set(samples)) > 1:
        notes.append("samples differ although this device counts exactly: inputs differ in work")
    return tuple(notes)
