"""What can be wrong with a simulated desk: one thing at a time, on all its boards.

``--lab sim:FAULT`` names one. Each stands for something that happens on real desks, and shows how
the harness names it.
"""

from __future__ import annotations

from enum import StrEnum

from harness.errors import UsageError, near_names


class Fault(StrEnum):
    """A fault of the desk."""

    DISCONNECT = "disconnect"
    """The probe is unplugged while flash is written."""
    LOCKED = "locked"
    """The access port is disabled, as by APPROTECT of an nRF52."""
    NO_PROBE = "no-probe"
    """Nothing is plugged in."""
    READ_PROTECTED = "read-protected"
    """Flash cannot be read, as with read-out protection of an STM32."""
    RESET_LOOP = "reset-loop"
    """A brown-out: fifty resets a second, while no debugger holds the core."""
    SLOW = "slow"
    """Every transfer takes long."""
    STUCK_PROBE = "stuck-probe"
    """The probe takes a request and never answers."""
    STUCK_WORD = "stuck-word"
    """A word of flash cannot be programmed."""
    WRONG_ID = "wrong-id"
    """The chip says that it is another one."""


def parse_fault(text: str) -> Fault | None:
    """Return the fault of a name, None for the empty one.

    Raises:
        UsageError: there is none of this name.
    """
    if not text:
        return None
    try:
        return Fault(text)
    except ValueError:
        raise UsageError(
            f"the simulated desk has no fault {text!r}", hint=near_names(text, list(Fault))
        ) from None
