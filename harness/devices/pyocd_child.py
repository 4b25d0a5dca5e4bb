"""pyOCD at work: ``python -m harness.devices.pyocd_child`` takes a job on stdin, and reports.

A report is a line of JSON: the stage that begins or goes on, or the error that ends it all. Here
the exceptions of pyOCD get names that say what to do.

Nothing is written before the probe is known to be the right one and the chip to be the board's.
pyOCD trusts its flash algorithm, so what was programmed is read back here. It would also unlock a
protected chip by erasing it, which is not ours to decide, and on leaving it clears DEMCR, by which
a firmware that already runs would lose its cycle counter: so all of that is done while the core
stands at its first instruction after a reset, and the write that ends debugging lets it go.

Source: pyOCD 0.46: "Session options", "Python API examples"; Arm DDI 0403, C1.6 on DHCSR and DEMCR.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyocd.core import exceptions
from pyocd.coresight.ap import MEM_AP
from pyocd.flash.loader import FlashLoader
from pyocd.target.family.target_nRF52 import NRF52

from harness.devices.flash_image import Piece, first_difference, read_pieces
from harness.devices.pyocd_session import UNPLUG, Job, find_probe, open_session, read_job
from harness.errors import DeviceBusyError, DeviceError, NoAnswerError

_DHCSR, _DEMCR = 0xE000_EDF0, 0xE000_EDFC
_DEBUG_OFF = 0xA05F_0000
_READ_BYTES = 1 << 16
_UICR_APPROTECT, _HW_DISABLED, _ERASED = 0x1000_1208, 0x5A, 0xFFFF_FFFF

_OF_ITS_INSIDES = (OSError, LookupError, ValueError, TypeError, AttributeError, AssertionError)
"""What pyOCD lets through besides its own exceptions: of libusb, and of its own code."""

_UNLOCK = (
    "unlocking erases the whole chip, so it is left to you: `pyocd erase --chip --target {target}`"
    "; on an STM32, set read-out protection to level 0 with STM32CubeProgrammer"
)


class Work:
    """A job that is being done; ``stage`` is what it does now."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._stage = "starting"

    def do(self) -> None:
        """Do the job.

        Raises:
            DeviceError: it cannot be done; nothing was written if the board is not the right one.
        """
        pieces = read_pieces(Path(self._job.elf)) if self._job.elf else []
        self._begin("looking for the probe")
        probe = find_probe(self._job.uid)
        with self._explained(f"probe {probe.unique_id}"):
            session = open_session(self._job, probe)
            try:
                self._begin("connecting")
                session.open()
                self._check_identity(session.target)
                if pieces:
                    if self._job.connect == "attach":
                        # Which leaves the core running, and on what clocks its firmware chose.
                        session.target.reset_and_halt()
                    keep_open(session.target)
                    self._program(session, pieces)
                self._begin("resetting the board")
                start(session.target)
            except (exceptions.DebugError, KeyError):
                # KeyError: of an nRF52, pyOCD goes on to ask a core that it did not find.
                if _is_closed(session.target):
                    raise self._locked("its access port is disabled") from None
                raise
            finally:
                with contextlib.suppress(exceptions.Error):
                    session.close()

    def _begin(self, stage: str) -> None:
        self._stage = stage
        say(stage=stage)

    def _check_identity(self, target: Any) -> None:
        """Refuse a chip that is not the board's."""
        known = self._job.identity
        if known is None:
            return
        self._begin("asking the chip what it is")
        try:
            read = target.read32(known.address) & known.mask
        except exceptions.TransferFaultError:
            read = None
        if read == known.value:
            return
        told = "nothing" if read is None else f"0x{read:x}"
        raise DeviceError(
            f"this chip is no {self._job.mcu}: {known.register_name} at 0x{known.address:08x} "
            f"reads {told}, a {self._job.board} has 0x{known.value:x}; nothing was written",
            hint="another board hangs on this probe: correct `board` or `uid` in lab.yaml",
        )

    def _program(self, session: Any, pieces: list[Piece]) -> None:
        """Write the image, read it back and compare."""
        size = sum(len(piece.data) for piece in pieces)
        try:
            session.target.read32(pieces[0].address & ~3)
        except exceptions.TransferFaultError:
            raise self._locked("its flash cannot be read") from None

        def report(part: float) -> None:
            self._begin(f"programming {size:,} B ({part:.0%})")

        loader = FlashLoader(session, progress=report, chip_erase="sector", smart_flash=False)
        for piece in pieces:
            try:
                loader.add_data(piece.address, piece.data)
            except ValueError as error:
                raise DeviceError(
                    f"{self._job.target} has no flash for {len(piece.data):,} B at "
                    f"0x{piece.address:08x}: {error}",
                    hint="the target or its CMSIS-Pack is of another chip than the board's file",
                ) from None
        loader.commit()
        for piece in pieces:
            self._begin(f"reading back {size:,} B")
            difference = first_difference(piece, read_back(session.target, piece))
            if difference is not None:
                raise DeviceError(
                    f"flash did not take the image: {difference}",
                    hint="program once more; if the address stays, flash is worn or protected",
                )

    def _locked(self, how: str) -> DeviceError:
        return DeviceError(
            f"the {self._job.mcu} is locked: {how}; nothing was written",
            hint=_UNLOCK.format(target=self._job.target),
        )

    @contextlib.contextmanager
    def _explained(self, who: str) -> Iterator[None]:
        """Give the errors of pyOCD names."""
        try:
            yield
        except exceptions.ProbeDisconnected:
            raise DeviceError(
                f"{who} was unplugged while {self._stage}",
                hint="plug it in and run again: flash may hold half an image",
            ) from None
        except exceptions.FlashFailure as error:
            raise DeviceError(
                f"the {self._job.mcu} refused while {self._stage}: {error}",
                hint="a sector may be write-protected, or the supply too weak to program flash",
            ) from None
        except exceptions.TransferTimeoutError as error:
            raise NoAnswerError(
                f"{who} got no answer from the chip while {self._stage}: {error}", hint=UNPLUG
            ) from None
        except exceptions.TransferError as error:
            raise DeviceError(
                f"{who} cannot reach the chip while {self._stage}: {error}",
                hint="is the board powered, and its SWD wired? Try a lower frequency_hz",
            ) from None
        except exceptions.ProbeError as error:
            kind = DeviceBusyError if "in use" in str(error) else DeviceError
            raise kind(f"{who}: {error} (while {self._stage})", hint=UNPLUG) from None
        except (exceptions.Error, *_OF_ITS_INSIDES) as error:
            what = f"{type(error).__name__}: {error}"
            raise DeviceError(f"{who}: pyOCD failed while {self._stage}: {what}") from None


def keep_open(target: Any) -> None:
    """Let firmware open the debug port of an nRF52 that closes it at each hard reset.

    Such a chip asks for a word in UICR that is erased on a fresh one. pyOCD writes it only where it
    may also unlock by erasing; here it is written over nothing but an erased word, so a chip that
    its owner has closed stays closed (Nordic nRF52840 Product Specification v1.7, "UICR").

    Raises:
        DeviceError: the chip did not take it.
    """
    if not isinstance(target, NRF52) or not getattr(target, "hardened_approtect", False):
        return
    if target.read32(_UICR_APPROTECT) != _ERASED:
        return
    target.write_uicr(_UICR_APPROTECT, _HW_DISABLED)
    found = target.read32(_UICR_APPROTECT)
    if found != _HW_DISABLED:
        raise DeviceError(
            f"UICR.APPROTECT took 0x{found:08x} for 0x{_HW_DISABLED:08x}: the chip would lock "
            "itself at the next reset; nothing else was written",
            hint="`pyocd erase --chip` sets it, and erases everything",
        )


def start(target: Any) -> None:
    """Reset the chip, and let it go from its first instruction by the last write of all."""
    target.reset_and_halt()
    target.write32(_DEMCR, 0)
    target.write32(_DHCSR, _DEBUG_OFF)
    target.dp.disconnect()


def read_back(target: Any, piece: Piece) -> bytes:
    """Return what is where a piece was programmed."""
    found = bytearray()
    while (left := len(piece.data) - len(found)) > 0:
        found += bytes(
            target.read_memory_block8(piece.address + len(found), min(_READ_BYTES, left))
        )
    return bytes(found)


def _is_closed(target: Any) -> bool:
    """Return whether the chip lets nobody at its memory."""
    ports = [ap for ap in target.aps.values() if isinstance(ap, MEM_AP)]
    try:
        return bool(ports) and not any(ap.is_enabled for ap in ports)
    except exceptions.Error:
        return False


def say(**fields: str) -> None:
    """Write a report."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Do the job on stdin."""
    logging.disable(logging.CRITICAL)
    try:
        Work(read_job(sys.stdin.read())).do()
    except DeviceError as error:
        say(error=type(error).__name__, message=error.message, hint=error.hint)
    else:
        say(stage="done")


if __name__ == "__main__":
    main()
