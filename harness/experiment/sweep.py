"""Many cases: given to workers, kept as they come back, taken up again after an interruption.

A sweep is a file in the store (``sweeps/ID.json``: the specification, and a digest of it and of
the tool's own sources) and one record a case, each with the sweep's id and its number. So what is
left to do is what has no record: nothing else has to survive a kill.

Emulated cases run side by side, since they count instructions. Those on boards come next, one at a
time on each; cases that measure this computer's time run one after the other, last.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from harness.board.schema import DeviceKind
from harness.data import plain
from harness.errors import StoreError
from harness.experiment.boards_at_once import run_on_boards
from harness.experiment.case import Case, device_kind, is_on_hardware
from harness.experiment.labs import is_simulated
from harness.experiment.provenance import source_digest
from harness.experiment.spec import SweepSpec, cases
from harness.experiment.worker import Ran, lost, run_one
from harness.results.frame import find
from harness.results.record import Record, SweepPart
from harness.results.store import append, prepare, write_once

SWEEPS = "sweeps"
EXACT = (DeviceKind.QEMU, DeviceKind.RENODE, DeviceKind.REPLAY)
"""Devices whose figures do not depend on what else the computer does."""

Workers = Callable[[], AbstractContextManager[Executor]]
"""Makes an executor; called again after one broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A case that was kept. ``ran`` is None if it was already there."""

    number: int
    record: Record
    path: Path
    ran: Ran | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep with all its cases, in their order; ``resumed`` of them were there before.

    ``is_mixed`` says that somebody changed the tool's sources while it ran.
    """

    id: str
    done: tuple[Done, ...]
    resumed: int
    took_s: float
    is_mixed: bool = False


Progress = Callable[[Done, int, int, float | None], None]
"""``progress(done, count, total, left_s)``: a case came back; ``left_s`` is a guess, or None."""


def run_sweep(
    spec: SweepSpec,
    *,
    store: Path,
    workers: Workers,
    at_once: int,
    fresh: bool = False,
    progress: Progress = lambda *_: None,
) -> Sweep:
    """Run all cases of a sweep and keep their records, failed ones too.

    One that was interrupted, with the same specification and the same sources, is taken up again
    unless ``fresh``. ``at_once`` cases are given to the workers at a time.

    Raises:
        UsageError: too many cases.
        StoreError: the store cannot be written.
    """
    began = time.monotonic()
    wanted = cases(spec)
    prepare(store)
    digest = _digest(spec)
    sweep, kept = (None, {}) if fresh else _unfinished(store, digest, len(wanted))
    if sweep is None:
        sweep = _begin(store, spec, digest)
    done = dict(kept)
    for count, old in enumerate(done.values(), start=1):
        progress(old, count, len(wanted), None)
    todo = {number: case for number, case in enumerate(wanted) if number not in done}
    for new, left_s in _kept(todo, store, sweep, workers, at_once):
        done[new.number] = new
        progress(new, len(done), len(wanted), left_s)
    return Sweep(
        id=sweep,
        done=tuple(done[number] for number in sorted(done)),
        resumed=len(kept),
        took_s=time.monotonic() - began,
        is_mixed=_digest(spec) != digest,
    )


def run_cases(
    wanted: Sequence[Case],
    *,
    store: Path,
    workers: Workers,
    at_once: int,
    progress: Progress = lambda *_: None,
) -> list[Done]:
    """Run cases that make no sweep and keep their records, in their order.

    Raises:
        StoreError: the store cannot be written.
    """
    done = {}
    for new, left_s in _kept(dict(enumerate(wanted)), store, None, workers, at_once):
        done[new.number] = new
        progress(new, len(done), len(wanted), left_s)
    return [done[number] for number in sorted(done)]


def _kept(
    todo: dict[int, Case], store: Path, sweep: str | None, workers: Workers, at_once: int
) -> Iterator[tuple[Done, float]]:
    """Yield each case once it is in the store, with a guess of the seconds that are left."""
    began, total = time.monotonic(), len(todo)
    for count, (number, ran) in enumerate(_run(todo, workers, at_once), start=1):
        mark = None if sweep is None else SweepPart(id=sweep, case=number)
        marked = ran.record.model_copy(update={"sweep": mark})
        record, path = append(store, marked, ran.capture)
        left_s = (time.monotonic() - began) / count * (total - count)
        yield Done(number=number, record=record, path=path, ran=ran), left_s


def _run(todo: dict[int, Case], workers: Workers, at_once: int) -> Iterator[tuple[int, Ran]]:
    """Yield each case that was run: exact ones side by side, then boards, then the others."""
    attached = {n: case for n, case in todo.items() if is_on_hardware(case)}
    others = {n: case for n, case in todo.items() if n not in attached}
    exact = {n: case for n, case in others.items() if _is_exact(case)}
    suspects: dict[int, Case] = {}
    while exact:
        suspects = {}
        with workers() as pool:
            try:
                yield from _side_by_side(pool, exact, suspects, at_once)
            except BrokenExecutor:
                # One of those that were running killed its process; alone, each shows whether it
                # does so again.
                exact = {n: case for n, case in exact.items() if n not in suspects}
        for number, case in suspects.items():
            yield number, _alone(case, workers)
    yield from run_on_boards(attached, run_one)
    for number, case in others.items():
        if not _is_exact(case):
            yield number, run_one(case)


def _is_exact(case: Case) -> bool:
    return is_simulated(case.lab) or device_kind(case.device)[0] in EXACT


def _side_by_side(
    pool: Executor, left: dict[int, Case], running: dict[int, Case], at_once: int
) -> Iterator[tuple[int, Ran]]:
    """Yield cases as they come back, and take them out of ``left`` and ``running``."""
    futures: dict[Future[Ran], int] = {}
    waiting = iter(list(left.items()))
    while True:
        while len(futures) < at_once and (following := next(waiting, None)) is not None:
            number, case = following
            running[number] = case
            futures[pool.submit(run_one, case)] = number
        if not futures:
            return
        finished, _ = wait(futures, return_when=FIRST_COMPLETED)
        for future in finished:
            ran = future.result()
            number = futures.pop(future)
            del left[number], running[number]
            yield number, ran


def _alone(case: Case, workers: Workers) -> Ran:
    with workers() as pool:
        try:
            return pool.submit(run_one, case).result()
        except BrokenExecutor:
            return lost(case, "the process that ran this case died, twice")


def _digest(spec: SweepSpec) -> str:
    """Return what two runs of a sweep must share so that the second can complete the first."""
    return sha256((spec.model_dump_json(exclude={"gate"}) + source_digest()).encode()).hexdigest()


def _begin(store: Path, spec: SweepSpec, digest: str) -> str:
    now = datetime.now(UTC)
    sweep = f"{now:%Y%m%dT%H%M%SZ}-{plain(spec.name)}-{uuid.uuid4().hex[:8]}"
    begun = {
        "schema_version": 1,
        "id": sweep,
        "created": now.isoformat(timespec="seconds"),
        "digest": digest,
        "host": os.uname().nodename,
        "spec": spec.model_dump(mode="json"),
    }
    write_once(store / SWEEPS, f"{sweep}.json", (json.dumps(begun, indent=1) + "\n").encode())
    return sweep


def _unfinished(store: Path, digest: str, total: int) -> tuple[str | None, dict[int, Done]]:
    """Return the newest sweep of this digest that lacks cases, and the cases that it has."""
    for path in sorted((store / SWEEPS).glob("*.json"), reverse=True):
        if _begun(path).get("digest") != digest:
            continue
        kept = {
            record.sweep.case: Done(number=record.sweep.case, record=record, path=file, ran=None)
            for file, record in find(store, f"sweep = '{path.stem}'")
            if record.sweep is not None
        }
        return (path.stem, kept) if len(kept) < total else (None, {})
    return None, {}


def _begun(path: Path) -> dict[str, Any]:
    try:
        begun = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: is not a sweep: {error}", hint="delete it") from error
    return begun if isinstance(begun, dict) else {}
