"""The device that a case runs on, reached for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.board.schema import DeviceKind
from harness.devices.protocol import Device
from harness.devices.registry import Attached, open_device
from harness.devices.renode_process import KeptRenode
from harness.experiment.case import Found
from harness.experiment.labs import open_lab
from harness.experiment.measure import Report


@contextmanager
def device_of(found: Found, report: Report, kept: KeptRenode | None = None) -> Iterator[Device]:
    """Yield the device of a case; a lab is left again when the block ends.

    ``report`` hears whom a board is waited for, as long as the run itself may take.

    Raises:
        DeviceError: there is none, or it cannot be reached.
    """
    if found.kind is not DeviceKind.HARDWARE:
        yield open_device(found.kind, capture=found.capture, kept=kept)
        return
    case, board = found.case, found.board
    with open_lab(case.lab, board=board.name, place=case.place, flash=case.flash) as lab:
        attached = Attached(
            lab=lab,
            board=board,
            flash=case.flash,
            place=case.place,
            wait_s=case.timeout_s,
            waiting=lambda who: report(f"waiting for {who}", 0, 0),
        )
        yield open_device(found.kind, attached=attached)
