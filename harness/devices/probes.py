"""Which debug probes are connected, as pyOCD lists them: in a child, since a stuck one blocks."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass

from harness.errors import DeviceError, DeviceNotFoundError, NoAnswerError

_LIST_S = 20.0


@dataclass(frozen=True, slots=True)
class ConnectedProbe:
    """A probe: its serial number, and what it calls itself."""

    uid: str
    description: str


def connected_probes(timeout_s: float = _LIST_S) -> list[ConnectedProbe]:
    """Return all probes that are connected.

    Raises:
        DeviceNotFoundError: pyOCD is not installed.
        NoAnswerError: a probe is stuck.
        DeviceError: they cannot be listed.
    """
    if importlib.util.find_spec("pyocd") is None:
        raise DeviceNotFoundError(
            "pyOCD is not installed", hint="pip install 'bench-tinyml[hardware]'"
        )
    command = [sys.executable, "-m", "pyocd", "json", "--probes"]
    try:
        listed = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoAnswerError(
            f"the debug probes were not listed within {timeout_s:g} s",
            hint="one may be stuck: unplug it and plug it in again",
        ) from None
    try:
        return [
            ConnectedProbe(str(each["unique_id"]), str(each["info"]))
            for each in json.loads(listed.stdout)["boards"]
        ]
    except (ValueError, KeyError, TypeError):
        said = listed.stderr.strip().splitlines() or ["nothing"]
        raise DeviceError(f"pyOCD does not list the debug probes: {said[-1]}") from None
