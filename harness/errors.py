"""Every exception that leaves the package, as one tree.

::

    BenchError                      exit code
    ├── UsageError                      2   a name or an option that does not exist
    ├── InputError                      1   the user's input cannot be done
    │   ├── MalformedModelError             the file is not a sound .tflite
    │   ├── UnsupportedModelError           sound, but an op or a type is not offered
    │   ├── DoesNotFitError                 needs more memory than the board has
    │   │   └── DoesNotFitInFlashError          more flash, that is
    │   ├── TensorInputError                input data of a wrong shape, type or format
    │   └── FactsError                      a YAML file with wrong or unknown fields
    ├── ToolchainError                  1   compiler missing, or generated code refused by it
    ├── DeviceError                     3   keeps the capture
    │   ├── DeviceNotFoundError             no board, no emulator
    │   ├── DeviceBusyError                 somebody else has the board
    │   ├── NoAnswerError                   a bounded wait ran out
    │   ├── CorruptStreamError              bytes that no resend repaired
    │   ├── WrongFirmwareError              the hello is not of the image we built
    │   └── FirmwareFaultError              the firmware reported a fault or an error
    ├── StoreError                      1   a record that cannot be read or written
    ├── OutputsDifferError              4   outputs are not bit-exact
    ├── RegressionError                 4   a figure is worse than its baseline
    └── NothingMeasuredError            5   a run that measured nothing is a failure

A message says where, what was found and what was allowed, with units; the hint says what to do
next. Foreign exceptions are translated in the one module that imports the library they come from.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class BenchError(Exception):
    """Root of the tree: a message, a hint, and the exit code of the command line."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BenchError):
    """A name or an option that does not exist."""

    exit_code = 2


class InputError(BenchError):
    """The user's input is understood and cannot be done."""


class MalformedModelError(InputError):
    """The file is not a sound TensorFlow Lite flatbuffer."""


class UnsupportedModelError(InputError):
    """The model is sound but uses something for which no bit-exact code exists here."""


class DoesNotFitError(InputError):
    """The model needs more memory than the board has."""


class DoesNotFitInFlashError(DoesNotFitError):
    """The image needs more flash than the board has, or than is allowed."""


class TensorInputError(InputError):
    """Input data whose shape, type or format is not what the model takes."""


class FactsError(InputError):
    """A YAML file (board, catalog, recipe, lab) with wrong or unknown fields."""


class ToolchainError(BenchError):
    """A compiler that is missing, or code that it refused."""


class DeviceError(BenchError):
    """Something went wrong between us and the board; the capture so far is kept."""

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "", capture: bytes = b"") -> None:
        super().__init__(message, hint=hint)
        self.capture = capture


class DeviceNotFoundError(DeviceError):
    """No such board is attached, or the emulator is not installed."""


class DeviceBusyError(DeviceError):
    """Another process has the board."""


class NoAnswerError(DeviceError):
    """A bounded wait ran out."""


class CorruptStreamError(DeviceError):
    """Bytes arrived that no resend repaired."""


class WrongFirmwareError(DeviceError):
    """The firmware that answers is not the image that was built for this run."""


class FirmwareFaultError(DeviceError):
    """The firmware reported a fault or refused a request."""


class StoreError(BenchError):
    """A record that cannot be read or written."""


class OutputsDifferError(BenchError):
    """Outputs are not bit-exact."""

    exit_code = 4


class RegressionError(BenchError):
    """A figure is worse than its baseline, or can no longer be held against it."""

    exit_code = 4


class NothingMeasuredError(BenchError):
    """A run that measured nothing is a failure."""

    exit_code = 5


def near_names(wanted: str, known: Iterable[str]) -> str:
    """Return a hint that names what ``wanted`` may have meant, or all that is known."""
    names = sorted(known)
    near = difflib.get_close_matches(wanted.lower(), names, n=3, cutoff=0.5)
    near += [name for name in names if wanted.lower() in name and name not in near][:3]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(names)}."
