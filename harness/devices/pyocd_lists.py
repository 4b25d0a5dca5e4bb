"""pyOCD's lists: ``python -m harness.devices.pyocd_lists probes targets`` says both in one start.

They are those of ``pyocd json``, which says one of them each time that it starts.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

from pyocd.core.session import Session
from pyocd.tools.lists import ListGenerator

LISTS = {
    "probes": (ListGenerator.list_probes, "boards"),
    "targets": (ListGenerator.list_targets, "targets"),
}


def lists(names: Sequence[str]) -> dict[str, Any]:
    """Return lists by their names, or ``error`` with what pyOCD says instead."""
    Session(None)  # it reads the user's configuration
    said: dict[str, Any] = {}
    for name in names:
        generate, field = LISTS[name]
        listed = generate()
        if listed["status"]:
            return {"error": listed.get("error", "no reason given")}
        said[name] = listed[field]
    return said


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    json.dump(lists(sys.argv[1:]), sys.stdout)
