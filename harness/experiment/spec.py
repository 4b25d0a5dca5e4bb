"""What a sweep is to measure: every combination of what a YAML file lists.

::

    name: nightly
    models: [kws, vww]
    boards: [nucleo-f746zg]
    devices: [qemu, hardware]
    lab: lab.yaml
    schedules: [layer, stream]
    sram_limits: [null, 65536]
    flash_limits: [null, 524288]
    optimize: [cycles, size]
    passes: [all, -remove-constant-channels]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from harness.board.load import board_names
from harness.board.schema import DeviceKind
from harness.comparison.rules import GateRules
from harness.devices.flash import FLASHERS
from harness.errors import UsageError, near_names
from harness.experiment.case import Case, device_kind
from harness.facts import Facts, load_facts
from harness.models.catalog import catalog
from harness.passes.selection import select_passes
from harness.results.record import Count
from harness.schedule.search import SCHEDULES
from harness.toolchain.firmware import Builder
from harness.toolchain.flags import OPTIMIZATIONS

MAX_CASES = 10_000


def _known(what: str, names: Callable[[], Iterable[str]], path_suffix: str = "") -> AfterValidator:
    """Return a check that every member is a known name, or a file of the user's own."""

    def check(wanted: tuple[str, ...]) -> tuple[str, ...]:
        known = set(names())
        faults = [
            f"there is no {what} {name!r} ({near_names(name, known).rstrip('.')})"
            for name in wanted
            if name not in known
            and not (path_suffix and name.endswith(path_suffix) and Path(name).is_file())
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return wanted

    return AfterValidator(check)


def _devices(wanted: tuple[str, ...]) -> tuple[str, ...]:
    faults = []
    for name in wanted:
        try:
            device_kind(name)
        except UsageError as error:
            faults.append(f"{error.message} ({error.hint.rstrip('.')})")
    if faults:
        raise ValueError("; ".join(faults))
    return wanted


def _passes(wanted: tuple[str, ...]) -> tuple[str, ...]:
    faults = []
    for text in wanted:
        try:
            select_passes(text)
        except UsageError as error:
            faults.append(f"{error.message} ({error.hint.rstrip('.')})")
    if faults:
        raise ValueError("; ".join(faults))
    return wanted


def _flasher(name: str) -> str:
    if name not in FLASHERS:
        raise ValueError(f"there is no flasher {name!r} ({near_names(name, FLASHERS).rstrip('.')})")
    return name


_Names = Annotated[tuple[str, ...], Field(min_length=1)]


class SweepSpec(Facts):
    """A sweep; a list that is left out has one member, the default of ``bench run``.

    ``builder``, ``lab`` and ``flash`` are as ``--builder``, ``--lab`` and ``--flash``; emulators,
    which a sweep may have beside boards, have nothing to do with a lab. ``gate`` says what
    ``bench gate`` lets pass of it.
    """

    name: Annotated[str, Field(pattern=r"^[\w.-]{1,40}$")]
    models: Annotated[
        _Names, _known("model", lambda: (m.name for m in catalog().models), ".tflite")
    ]
    boards: Annotated[_Names, _known("board", board_names, ".yaml")]
    devices: Annotated[_Names, AfterValidator(_devices)] = ("auto",)
    schedules: Annotated[_Names, _known("schedule", lambda: SCHEDULES)] = ("auto",)
    sram_limits: Annotated[tuple[Count | None, ...], Field(min_length=1)] = (None,)
    flash_limits: Annotated[tuple[Count | None, ...], Field(min_length=1)] = (None,)
    input_by_rows: Annotated[tuple[bool, ...], Field(min_length=1)] = (False,)
    optimize: Annotated[_Names, _known("optimization", lambda: OPTIMIZATIONS)] = ("cycles",)
    passes: Annotated[_Names, AfterValidator(_passes)] = ("all",)
    warmup: Annotated[int, Field(ge=0, le=10_000)] = 1
    repeat: Annotated[int, Field(ge=1, le=10_000)] = 3
    timeout_s: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    builder: Builder = "direct"
    lab: str | None = None
    flash: Annotated[str, AfterValidator(_flasher)] = FLASHERS[0]
    gate: GateRules = GateRules()


def load_spec(path: Path) -> SweepSpec:
    """Return the sweep that a YAML file describes.

    Raises:
        FactsError: the file cannot be read, or with every wrong field and unknown name.
    """
    return load_facts(path, SweepSpec)


def cases(spec: SweepSpec) -> tuple[Case, ...]:
    """Return all cases of a sweep, in the order of its lists; a case listed twice comes once.

    Raises:
        UsageError: there are too many.
    """
    combinations = dict.fromkeys(
        product(
            spec.models,
            spec.boards,
            spec.devices,
            spec.schedules,
            spec.sram_limits,
            spec.flash_limits,
            spec.input_by_rows,
            spec.optimize,
            spec.passes,
        )
    )
    if len(combinations) > MAX_CASES:
        raise UsageError(
            f"{spec.name}: {len(combinations):,} cases, a sweep has at most {MAX_CASES:,}",
            hint="split it",
        )
    return tuple(
        Case(
            model=model,
            board=board,
            device=device,
            schedule=schedule,
            sram_limit=sram_limit,
            flash_limit=flash_limit,
            input_by_rows=by_rows,
            optimize=optimize,
            passes=passes,
            warmup=spec.warmup,
            repeat=spec.repeat,
            timeout_s=spec.timeout_s,
            builder=spec.builder,
            lab=spec.lab if _is_in_lab(device) else None,
            flash=spec.flash,
        )
        for (
            model,
            board,
            device,
            schedule,
            sram_limit,
            flash_limit,
            by_rows,
            optimize,
            passes,
        ) in combinations
    )


def _is_in_lab(device: str) -> bool:
    """Whether a device may be a board of the lab; a sweep may have emulators beside them."""
    return device == "auto" or device_kind(device)[0] is DeviceKind.HARDWARE
