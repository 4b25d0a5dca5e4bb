"""Which probes and chips pyOCD knows, as it lists them: in a child, since a stuck probe blocks."""

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
    return [
        ConnectedProbe(str(each["unique_id"]), str(each["info"]))
        for each in _listed("probes", "boards", timeout_s)
    ]


def source_of_target(name: str, timeout_s: float = _LIST_S) -> str | None:
    """Return where pyOCD knows a chip from, ``builtin`` or ``pack``; None if it does not.

    Raises:
        DeviceError: as :func:`connected_probes`.
    """
    wanted = name.replace("-", "_").lower()
    for each in _listed("targets", "targets", timeout_s):
        if str(each["name"]).lower() == wanted:
            return str(each["source"])
    return None


def _listed(what: str, field: str, timeout_s: float) -> list[dict[str, object]]:
    if importlib.util.find_spec("pyocd") is None:
        raise DeviceNotFoundError(
            "pyOCD is not installed", hint="pip install 'bench-tinyml[hardware]'"
        )
    command = [sys.executable, "-m", "pyocd", "json", f"--{what}"]
    try:
        listed = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoAnswerError(
            f"the debug {what} were not listed within {timeout_s:g} s",
            hint="a probe may be stuck: unplug it and plug it in again",
        ) from None
    try:
        found: list[dict[str, object]] = json.loads(listed.stdout)[field]
    except (ValueError, KeyError, TypeError):
        said = listed.stderr.strip().splitlines() or ["nothing"]
        raise DeviceError(f"pyOCD does not list the debug {what}: {said[-1]}") from None
    return found
