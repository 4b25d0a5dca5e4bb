"""Which probe pyOCD shall use, and how it shall open it.

A probe is taken if it is the named one, or if it is the only one: never one of several, and never
one whose unique id only resembles the name, with which pyOCD itself is content. Imports pyOCD, so
only its child does this.

Source: pyOCD 0.46, "Session options".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyocd.core import exceptions
from pyocd.core.session import Session
from pyocd.probe.aggregator import DebugProbeAggregator

from harness.errors import DeviceError, DeviceNotFoundError

_INSTALL = "install the package whose plug-in of pyOCD it is; for bench-sim: pip install -e ."
UNPLUG = "unplug the probe and plug it in again"


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


def find_probe(uid: str | None) -> Any:
    """Return the probe of a unique id, or the only one that is connected.

    Raises:
        DeviceNotFoundError: it is not there, or several are and none is named.
    """
    try:
        found = DebugProbeAggregator.get_all_connected_probes(uid)
        all_of_them = found or DebugProbeAggregator.get_all_connected_probes()
    except exceptions.Error as error:
        hint = _INSTALL if "unknown debug probe type" in str(error) else UNPLUG
        raise DeviceError(f"the debug probes cannot be listed: {error}", hint=hint) from None
    if uid is not None:
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
