"""What is compared: one case with its figures, and the conditions that they hold under.

A subject comes from a record of ours or from a published table. Its identity says which case it
is, its conditions say what must be alike before two figures may be divided by each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace

from harness.results.record import CasePart, DevicePart, OpPart, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which case; None where a source does not say, which matches anything.

    ``device`` is said only where one case ran on several (:func:`by_device`): elsewhere it is one
    of the conditions.
    """

    model: str
    board: str | None = None
    schedule: str | None = None
    sram_limit: int | None = None
    flash_limit: int | None = None
    input_by_rows: bool | None = None
    patch: tuple[int, tuple[int, int]] | None = None
    optimize: str | None = None
    passes: str | None = None
    inputs: str | None = None
    device: str | None = None

    def __str__(self) -> str:
        """The case in one line, without what is usual."""
        where = f" on {self.board}" if self.board else ""
        parts = [f"{self.model}{where}", *([self.schedule] if self.schedule else [])]
        if self.sram_limit is not None:
            parts.append(f"limit {self.sram_limit:,} B")
        if self.flash_limit is not None:
            parts.append(f"{self.flash_limit:,} B of flash")
        if self.input_by_rows:
            parts.append("input by rows")
        if self.patch is not None:
            ops, (down, across) = self.patch
            parts.append(f"first {ops} ops in {down}x{across} patches")
        if self.optimize not in (None, "cycles"):
            parts.append(f"for {self.optimize}")
        if self.passes not in (None, "all"):
            parts.append(f"passes {self.passes}")
        if self.inputs not in (None, "seeded"):
            parts.append(f"inputs {self.inputs}")
        if self.device is not None:
            parts.append(f"device {self.device}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What figures depend on besides the case; None where it is not known."""

    model: str | None = None
    kind: str | None = None
    clock: str | None = None
    caches: str | None = None
    compiler: str | None = None
    kernels: str | None = None


CONDITIONS = tuple(field.name for field in fields(Conditions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure, of which less is better. ``samples`` are of noisy ones, an exact one has none.

    ``rounded_by`` is how far the true value may lie from the one that a source has printed.
    """

    value: float
    unit: str
    samples: tuple[float, ...] = ()
    rounded_by: float = 0.0

    @property
    def is_noisy(self) -> bool:
        """Whether another measurement may give another value."""
        return bool(self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One case with its figures; ``failed`` says why there are none. ``source`` says whose.

    ``device`` is what was asked for, as in ``--device``.
    """

    identity: Identity
    conditions: Conditions
    figures: dict[str, Figure]
    ops: tuple[OpPart, ...] = ()
    failed: str = ""
    source: str = ""
    device: str = ""
    commit: str = ""
    created: str = ""


def identity_of(case: CasePart, model: str | None = None, board: str | None = None) -> Identity:
    """Return which case a record is of; names that were found go before those asked for."""
    return Identity(
        model=model or case.model,
        board=board or case.board,
        schedule=case.schedule,
        sram_limit=case.sram_limit,
        flash_limit=case.flash_limit,
        input_by_rows=case.input_by_rows,
        patch=case.patch,
        optimize=case.optimize,
        passes=case.passes,
        inputs=case.inputs,
    )


def subject_of(record: Record) -> Subject:
    """Return a record as a subject."""
    latency, toolchain = record.latency, record.toolchain
    return Subject(
        identity=identity_of(
            record.case,
            record.model.name if record.model else None,
            record.board.name if record.board else None,
        ),
        conditions=Conditions(
            model=record.model.sha256 if record.model else None,
            kind=_kind(record.device) if record.device else None,
            clock=latency.clock if latency else None,
            caches=latency.caches if latency and latency.caches != "unknown" else None,
            compiler=toolchain.version if toolchain else None,
            kernels=(toolchain.kernels or None) if toolchain else None,
        ),
        figures=_figures(record),
        ops=record.ops,
        failed=record.error.message if record.error else "",
        source=record.id,
        device=record.case.device,
        commit=record.tool.git_commit,
        created=record.created,
    )


def _kind(device: DevicePart) -> str:
    """Return what executed; a simulated desk is no hardware, however it was reached."""
    is_simulated = device.kind == "hardware" and device.stand_in
    return "simulated desk" if is_simulated else device.kind


def _figures(record: Record) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    latency = record.latency
    if latency is not None:
        if latency.cycles is not None:
            found["cycles"] = Figure(value=latency.cycles, unit="cycles", samples=latency.samples)
        if latency.latency_s is not None:
            seconds = latency.latency_s / latency.cycles if latency.cycles else 1.0
            samples = tuple(sample * seconds for sample in latency.samples)
            found["latency_s"] = Figure(value=latency.latency_s, unit="s", samples=samples)
        if latency.instructions is not None:
            found["instructions"] = Figure(value=latency.instructions, unit="instructions")
    if record.sram is not None:
        for name in ("planned_peak_bytes", "linked_bytes", "measured_peak_bytes"):
            value = getattr(record.sram, name)
            if value is not None:
                found[name] = Figure(value=value, unit="B")
    if record.flash is not None:
        found["flash_bytes"] = Figure(value=record.flash.total_bytes, unit="B")
        found["code_bytes"] = Figure(value=record.flash.code_bytes, unit="B")
    return found


FIGURES = (
    "instructions",
    "cycles",
    "latency_s",
    "planned_peak_bytes",
    "linked_bytes",
    "measured_peak_bytes",
    "flash_bytes",
    "code_bytes",
)
"""All figures that are compared, in the order in which they are shown."""


def latest(subjects: Iterable[Subject]) -> list[Subject]:
    """Return one subject a case and conditions: the newest, with the noisy samples of all.

    ``subjects`` come oldest first. A failed case gives way to one that was measured before it only
    if there is none later: what fails now is what counts.
    """
    merged: dict[tuple[Identity, Conditions], Subject] = {}
    for subject in subjects:
        key = (subject.identity, subject.conditions)
        older = merged.pop(key, None)
        merged[key] = subject if older is None else _pooled(older, subject)
    return list(merged.values())


def newest(subjects: Iterable[Subject]) -> list[Subject]:
    """Return one subject a case: the newest under whatever conditions; oldest come first."""
    found: dict[Identity, Subject] = {}
    for subject in subjects:
        found.pop(subject.identity, None)
        found[subject.identity] = subject
    return list(found.values())


def _pooled(older: Subject, newer: Subject) -> Subject:
    figures = dict(newer.figures)
    for name, figure in newer.figures.items():
        before = older.figures.get(name)
        if figure.is_noisy and before is not None and older.commit == newer.commit:
            figures[name] = replace(figure, samples=before.samples + figure.samples)
    return replace(newer, figures=figures)


def difference(before: Conditions, after: Conditions) -> dict[str, tuple[str, str]]:
    """Return the conditions that are known on both sides and differ."""
    found = {}
    for name in CONDITIONS:
        old, new = getattr(before, name), getattr(after, name)
        if old is not None and new is not None and old != new:
            found[name] = (old, new)
    return found


def by_device(subjects: Iterable[Subject]) -> Callable[[Subject], Subject]:
    """Return what tells cases apart that differ in nothing but the device, if subjects have some.

    Others are left as they are, so that a case that moved to another device is still that case.
    """
    devices: dict[Identity, set[str]] = {}
    for subject in subjects:
        devices.setdefault(subject.identity, set()).add(subject.device)

    def told(subject: Subject) -> Subject:
        if len(devices.get(subject.identity, ())) < 2:
            return subject
        return replace(subject, identity=replace(subject.identity, device=subject.device))

    return told
