"""What a process of a pool or of a cluster does: run one case and give back what it measured.

Nothing is written here: the process that began the sweep keeps the records, so a worker that dies
leaves nothing behind and no case twice.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import wait
from multiprocessing.util import Finalize

from harness.devices.renode_process import KeptRenode
from harness.errors import BenchError, DeviceError, UsageError
from harness.experiment.case import Case
from harness.experiment.draft import Draft
from harness.experiment.run import run_case
from harness.results.record import Record


@dataclass(frozen=True, slots=True)
class Ran:
    """A case that was run. The record is JSON, so that both ends need only agree on its schema.

    ``built_s`` and ``emulated_s`` are the parts of ``took_s`` that toolchain and device had.
    """

    record_json: str
    capture: bytes
    took_s: float
    built_s: float = 0.0
    emulated_s: float = 0.0

    @property
    def record(self) -> Record:
        """The record."""
        return Record.model_validate_json(self.record_json)


_SIGNAL_AGAIN_S = 0.1

_DEVICE_STAGES = ("booting", "uploading", "painting", "running", "counting ops")


def run_one(case: Case) -> Ran:
    """Run a case; whatever goes wrong is a failed record."""
    began = time.monotonic()
    spent: dict[str, float] = {}
    stage, since = "", began

    def note(now_in: str, _done: int = 0, _total: int = 0) -> None:
        nonlocal stage, since
        if now_in != stage:
            now = time.monotonic()
            spent[stage] = spent.get(stage, 0.0) + now - since
            stage, since = now_in, now

    try:
        outcome = run_case(case, store=None, report=note, kept=_kept_renode())
        record, capture = outcome.record, outcome.capture
    except UsageError as error:  # an option that its schedule does not have
        record, capture = Draft(case).finish(error)
    note("")
    return Ran(
        record_json=record.model_dump_json(),
        capture=capture,
        took_s=time.monotonic() - began,
        built_s=spent.get("building", 0.0),
        emulated_s=sum(spent.get(name, 0.0) for name in _DEVICE_STAGES),
    )


@cache
def _kept_renode() -> KeptRenode:
    """Return what keeps this process's Renode between two cases, and ends with the process."""
    kept = KeptRenode()
    Finalize(kept, kept.close, exitpriority=1)
    return kept


def failed(case: Case, error: BenchError) -> Ran:
    """Return the failed record of a case that no worker could run."""
    record, capture = Draft(case).finish(error)
    return Ran(record.model_dump_json(), capture, took_s=0.0)


def lost(case: Case, what: str) -> Ran:
    """Return the failed record of a case whose process died under it."""
    return failed(
        case,
        DeviceError(
            f"{case.model} on {case.board}: {what}",
            hint="it may have run out of memory; `bench run` shows what happens",
        ),
    )


def start_worker(environment: dict[str, str]) -> None:
    """Prepare a process of a pool: leave Ctrl-C to its parent, and end when the parent ends."""
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ending = threading.Event()

    def end(_signal: int, _frame: object) -> None:
        # An exception rather than a sudden end, so that the emulator is put away; and only one.
        if not ending.is_set():
            ending.set()
            raise SystemExit(1)

    signal.signal(signal.SIGTERM, end)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel, ending), daemon=True).start()


def _end_with(sentinel: int, ending: threading.Event) -> None:
    wait([sentinel])
    # A signal just before the main thread waits for work does not wake it: the next one does.
    while not ending.wait(_SIGNAL_AGAIN_S):
        os.kill(os.getpid(), signal.SIGTERM)
