"""Measure what a quantized neural network costs on a microcontroller.

The package is one line of pure functions over a few frozen types::

    bytes -> Graph -> Plan -> Sources -> Firmware -> Capture -> Record -> Report

Each arrow is a subpackage; ARCHITECTURE.md tells which. ``plan``, ``run``, ``sweep``, ``load`` and
``compare`` are the library in five functions (docs/python.md); they are imported when they are
first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.api import compare, load, plan, run, sweep

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "load", "plan", "run", "sweep"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
