"""Which probes and chips pyOCD knows, as it lists them: in a child, since a stuck probe blocks."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import DeviceError, DeviceNotFoundError, NoAnswerError

_LIST_S = 20.0

_Lists = Mapping[str, list[dict[str, object]]]


@dataclass(frozen=True, slots=True)
class ConnectedProbe:
    """A probe: its serial number, and what it calls itself."""

    uid: str
    description: str


@dataclass(frozen=True, slots=True)
class Known:
    """What pyOCD knows: the probes that are connected, and where it has each target from."""

    probes: list[ConnectedProbe]
    sources: Mapping[str, str]

    def source(self, target: str) -> str | None:
        """Return where it knows a chip from, ``builtin`` or ``pack``; None if it does not."""
        return self.sources.get(target.replace("-", "_").lower())


def connected_probes(timeout_s: float = _LIST_S) -> list[ConnectedProbe]:
    """Return all probes that are connected.

    Raises:
        DeviceNotFoundError: pyOCD is not installed.
        NoAnswerError: a probe is stuck.
        DeviceError: they cannot be listed.
    """
    return _probes(_listed(["probes"], timeout_s))


def known_to_pyocd(timeout_s: float = _LIST_S) -> Known:
    """Return all probes and targets, for which pyOCD starts once.

    Raises:
        DeviceError: as :func:`connected_probes`.
    """
    said = _listed(["probes", "targets"], timeout_s)
    sources = {str(each["name"]).lower(): str(each["source"]) for each in said["targets"]}
    return Known(_probes(said), sources)


def _probes(said: _Lists) -> list[ConnectedProbe]:
    return [ConnectedProbe(str(each["unique_id"]), str(each["info"])) for each in said["probes"]]


def _listed(names: list[str], timeout_s: float) -> _Lists:
    if importlib.util.find_spec("pyocd") is None:
        raise DeviceNotFoundError(
            "pyOCD is not installed", hint="pip install 'bench-tinyml[hardware]'"
        )
    command = [sys.executable, "-m", "harness.devices.pyocd_lists", *names]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoAnswerError(
            f"pyOCD did not list its {' and '.join(names)} within {timeout_s:g} s",
            hint="a probe may be stuck: unplug it and plug it in again",
        ) from None
    last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        said = {"error": last}
    if "error" in said:
        raise DeviceError(f"pyOCD does not list its {' and '.join(names)}: {said['error']}")
    return said
