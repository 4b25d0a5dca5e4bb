"""What a device is: it takes a firmware and gives a console to it.

A backend is one file with one class. Third parties add theirs through the entry point group
``bench.devices`` (see :mod:`harness.devices.registry`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from harness.board.schema import DeviceKind
from harness.devices.clock import Clock
from harness.telemetry.console import Console
from harness.telemetry.messages import Hello
from harness.toolchain.firmware import Firmware


class Capability(StrEnum):
    """An ability that not every device has."""

    EXACT_COUNT = "exact_count"
    """Two runs give identical counts."""
    STACK = "stack"
    """The stack is the firmware's own and can be painted."""


class Device(Protocol):
    """What executes a firmware."""

    @property
    def kind(self) -> DeviceKind:
        """The kind; part of every figure."""

    @property
    def detail(self) -> str:
        """One line that names it exactly, for the record."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can do beyond the least."""

    def open(self, firmware: Firmware, /) -> AbstractContextManager[Console]:
        """Run a firmware; the console is good inside the context, and all is reaped after it.

        Raises:
            DeviceError: it is not there, or does not start.
        """

    def clock(self, hello: Hello, /) -> Clock:
        """Return what the ticks of the firmware that said ``hello`` mean here."""
