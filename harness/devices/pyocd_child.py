"""pyOCD at work: ``python -m harness.devices.pyocd_child`` takes a job on stdin, and reports.

A report is a line of JSON: the stage that begins or goes on, or the error that ends it all. This is
the one module that calls pyOCD, and where its exceptions get names that say what to do.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyocd.core import exceptions
from pyocd.core.session import Session
from pyocd.coresight.ap import MEM_AP
from pyocd.flash.loader import FlashLoader
from pyocd.probe.aggregator import DebugProbeAggregator

from harness.devices.flash_image import Piece, first_difference, read_pieces
from harness.errors import DeviceBusyError, DeviceError, DeviceNotFoundError, NoAnswerError

_DHCSR, _DEMCR = 0xE000_EDF0, 0xE000_EDFC
_DEBUG_OFF = 0xA05F_0000
_READ_BYTES = 1 << 16

_INSTALL = "install the package whose plug-in of pyOCD it is; for bench-sim: pip install -e ."
_OF_ITS_INSIDES = (OSError, LookupError, ValueError, TypeError, AttributeError, AssertionError)
"""What pyOCD lets through besides its own exceptions: of libusb, and of its own code."""

_UNPLUG = "unplug the probe and plug it in again"
_UNLOCK = (
    "unlocking erases the whole chip, so it is left to you: `pyocd erase --chip --target {target}`"
    "; on an STM32, set read-out protection to level 0 with STM32CubeProgrammer"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The register that says which chip it is."""

    register_name: str
    address: int
    mask: int
    value: int
    source: str


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done, to which board, through which probe."""

    board: str
    mcu: str
    elf: str | None
    uid: str | None
    frequency_hz: int
    connect: str
    pack: str | None
    target: str | None
    identity: Identity | None


def read_job(text: str) -> Job:
    """Return a job from its JSON."""
    fields: dict[str, Any] = json.loads(text)
    identity = fields.pop("identity")
    return Job(**fields, identity=Identity(**identity) if identity else None)


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
                f"{who} got no answer from the chip while {self._stage}: {error}", hint=_UNPLUG
            ) from None
        except exceptions.TransferError as error:
            raise DeviceError(
                f"{who} cannot reach the chip while {self._stage}: {error}",
                hint="is the board powered, and its SWD wired? Try a lower frequency_hz",
            ) from None
        except exceptions.ProbeError as error:
            kind = DeviceBusyError if "in use" in str(error) else DeviceError
            raise kind(f"{who}: {error} (while {self._stage})", hint=_UNPLUG) from None
        except (exceptions.Error, *_OF_ITS_INSIDES) as error:
            what = f"{type(error).__name__}: {error}"
            raise DeviceError(f"{who}: pyOCD failed while {self._stage}: {what}") from None


def find_probe(uid: str | None) -> Any:
    """Return the probe of a unique id, or the only one that is connected.

    Raises:
        DeviceNotFoundError: it is not there, or several are and none is named.
    """
    try:
        found = DebugProbeAggregator.get_all_connected_probes(uid)
        all_of_them = found or DebugProbeAggregator.get_all_connected_probes()
    except exceptions.Error as error:
        hint = _INSTALL if "unknown debug probe type" in str(error) else _UNPLUG
        raise DeviceError(f"the debug probes cannot be listed: {error}", hint=hint) from None
    if uid is not None:
        # pyOCD itself is content with a part of the unique id.
        for probe in found:
            if str(probe.unique_id).lower() == uid.lower():
                return probe
    elif len(found) == 1:
        return found[0]
    names = ", ".join(f"{probe.unique_id} ({probe.description})" for probe in all_of_them)
    if uid is not None:
        others = f"connected, and left alone: {names}" if names else "no other is either"
        raise DeviceNotFoundError(
            f"probe {uid} is not connected; {others}",
            hint="plug it in, or correct the uid of the place's probe; `pyocd list` shows them all",
        )
    if not found:
        raise DeviceNotFoundError(
            "no debug probe is connected",
            hint="plug the board in; on Linux a probe needs pyOCD's udev rules",
        )
    raise DeviceNotFoundError(
        f"{len(found)} debug probes are connected and none is named: {names}",
        hint="name the board's as `uid` of its place's probe in lab.yaml",
    )


def open_session(job: Job, probe: Any) -> Any:
    """Return a session of pyOCD that is not open yet.

    Raises:
        DeviceNotFoundError: pyOCD does not know the chip.
    """
    if job.target is None:
        raise DeviceNotFoundError(
            f"{job.board}: nobody says what pyOCD calls its {job.mcu}",
            hint="name it as pyocd_target in the board's file, or as target of the place's probe",
        )
    options: dict[str, object] = {
        "target_override": job.target,
        "connect_mode": job.connect,
        "frequency": job.frequency_hz,
        "auto_unlock": False,
        "resume_on_disconnect": False,
        "hide_programming_progress": True,
        "no_config": True,
    }
    if job.pack is not None:
        if not Path(job.pack).is_file():
            raise DeviceNotFoundError(
                f"{job.pack}: there is no such CMSIS-Pack", hint="correct `pack` in lab.yaml"
            )
        options["pack"] = job.pack
    try:
        return Session(probe, auto_open=False, options=options)
    except exceptions.TargetSupportError:
        raise DeviceNotFoundError(
            f"pyOCD does not know the target {job.target}",
            hint=f"`pyocd pack install {job.target}` gets its CMSIS-Pack; without a network, "
            "name a .pack file as `pack` of the place's probe in lab.yaml",
        ) from None


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
