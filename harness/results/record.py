"""The record of one measured case, as it is written to disk and printed with ``--json``.

A record is complete: whoever has it can tell what was measured, on what, with what, and how to
do it again. Figures of different kinds have fields of their own: ``instructions`` is set where an
emulator counted, ``cycles`` where a core counted its own, with ``latency_s`` as how long they last
at its clock; ``latency_s`` alone where only a timer ran. Instructions are never turned into either.

Sizes are bytes, durations seconds. A failed case is a record too: ``status`` is
``failed``, ``error`` says why, ``capture`` names the bytes that went over the wire.

``SCHEMA_VERSION`` grows when a field changes its meaning or goes; :mod:`harness.results.migrate`
then says how older records become new ones. A field that is added has a default that means "not
known", so that older records stay readable as they are.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

SCHEMA_VERSION = 1

_LARGEST = 2**63 - 1
Count = Annotated[int, Field(ge=0, le=_LARGEST)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _escape(cls, value: Any) -> Any:
        return _escaped(value)


def _escaped(value: Any) -> Any:
    """Names of files are bytes; those that are not UTF-8 would fit into no JSON."""
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case tuple():
            return tuple(map(_escaped, value))
    return value


class ToolPart(_Part):
    """Which ``bench`` wrote the record; ``git_commit`` is empty outside a checkout."""

    version: str
    git_commit: str = ""
    dirty: bool = False


class WorkPart(_Part):
    """What a graph asks for: ops, multiply-accumulates, and bytes of constants in flash."""

    ops: Count
    macs: Count
    weights_bytes: Count


class PassPart(_Part):
    """A pass that ran, and what it left of the graph; passes run in the order of the record."""

    name: str
    left: WorkPart


class ModelPart(_Part):
    """The network; ``macs`` and ``parameters`` are counted after the passes.

    ``imported`` is what the file asks for; it and ``passes`` are empty in records from before they
    were kept.
    """

    name: str
    sha256: str
    weights: Literal["pretrained", "synthetic", "user"]
    macs: Count
    parameters: Count
    imported: WorkPart | None = None
    passes: tuple[PassPart, ...] = ()


class BoardPart(_Part):
    """The product whose memory sizes hold."""

    name: str
    mcu: str
    core: str


class StatePart(_Part):
    """What the board said of itself when it was measured; fields that it did not know are left out.

    ``core`` is by its CPUID. ``core_hz`` is as the clock tree was set, ``measured_hz`` what was
    counted against a clock of another source. ``enabled`` names caches and the like.
    """

    core: str = ""
    chip_id: str = ""
    core_hz: Count | None = None
    measured_hz: Count | None = None
    wait_states: Count | None = None
    enabled: tuple[str, ...] = ()
    reset: str = ""


class DevicePart(_Part):
    """What executed the firmware; ``stand_in`` if it was not the board nor a model of it."""

    kind: Literal["hardware", "renode", "qemu", "host", "replay"]
    stand_in: bool
    detail: str = ""
    state: StatePart | None = None


class SegmentPart(_Part):
    """Ops ``first_op..last_op`` (positions after the passes) that ran together.

    ``code_bytes`` is the instructions of the functions that are the segment's alone, once an image
    is built; functions that kernels share between segments are not among them.
    """

    kind: str
    first_op: int
    last_op: int
    code_bytes: Count | None = None


class SchedulePart(_Part):
    """``recompute_ratio`` is MACs executed over MACs of the network.

    ``input_by_rows`` says that the input arrived row by row during the inference, and so takes no
    SRAM but for a ring of rows.
    """

    requested: str
    chosen: str
    input_by_rows: bool = False
    recompute_ratio: float
    segments: tuple[SegmentPart, ...]


class ToolchainPart(_Part):
    """The compiler and the flags of the model's code; the runtime is always built for size.

    ``kernels`` is a digest of the text of all kernels; empty in records from before it was kept.
    ``builder`` is who called the compiler: we ourselves, or PlatformIO.
    """

    compiler: str
    version: str
    flags: tuple[str, ...]
    kernels: str = ""
    builder: Literal["direct", "platformio"] = "direct"


class FirmwarePart(_Part):
    """The image; ``elf`` is where it lay when it ran."""

    elf: str
    elf_sha256: str
    build_id: str


class LatencyPart(_Part):
    """One inference. ``samples`` are in the unit of the figure that is set, in order of running.

    The figure is their median. Where cycles are counted they are the samples, and ``latency_s`` is
    how long the cycles of the figure last at the board's clock. ``clock`` says what counted;
    ``overhead_ticks`` is the calibrated cost of reading it, already taken off. ``caches`` are the
    core's during the measured inferences; a count of instructions does not know them.
    """

    instructions: int | None = None
    cycles: int | None = None
    latency_s: float | None = None
    clock: str
    caches: Literal["on", "off", "not modelled", "unknown"] = "unknown"
    overhead_ticks: float = 0
    warmup: Count
    samples: tuple[float, ...]


class GapPart(_Part):
    """One reason why two of the SRAM figures differ; ``bytes`` is signed."""

    what: str
    bytes: int


class SramPart(_Part):
    """SRAM three times: planned (arena + scratch), linked, measured (painted high-water).

    ``gaps`` lead from planned to linked and from linked to measured, and sum up exactly.
    """

    arena_bytes: Count
    scratch_bytes: Count
    static_bytes: Count
    stack_bytes: Count | None
    planned_peak_bytes: Count
    linked_bytes: Count
    measured_peak_bytes: Count | None
    gaps: tuple[GapPart, ...]


class FlashPart(_Part):
    """What the image takes in flash; ``total_bytes`` includes initial values of variables."""

    code_bytes: Count
    weights_bytes: Count
    total_bytes: Count


class CorrectnessPart(_Part):
    """The comparison of every output with the reference interpreter's."""

    reference: str
    bit_exact: bool
    max_abs_diff: float


class OpPart(_Part):
    """One op after the passes, in execution order.

    ``instructions``, ``cycles`` or ``latency_s`` is what its step took; ops of one fused step
    share a figure, which stands at the last of them.
    """

    index: int
    kind: str
    name: str
    macs: Count
    segment: str
    instructions: int | None = None
    cycles: int | None = None
    latency_s: float | None = None


class ErrorPart(_Part):
    """Why a case failed."""

    type: str
    message: str
    hint: str = ""
    exit_code: int


class CasePart(_Part):
    """What was asked for: enough to ask again. ``patch`` is (ops, (patches down, across))."""

    board: str
    model: str
    device: str
    lab: str | None = None
    flash: str = "pyocd"
    schedule: str
    sram_limit: int | None = None
    flash_limit: int | None = None
    input_by_rows: bool = False
    patch: tuple[int, tuple[int, int]] | None = None
    optimize: str
    passes: str = "all"
    builder: Literal["direct", "platformio"] = "direct"
    inputs: str
    warmup: Count
    repeat: Count


class SweepPart(_Part):
    """The sweep that a case belongs to, and which of its cases it is, counted from 0."""

    id: str
    case: Count


class Record(_Part):
    """One case; parts that a failed case did not reach are None."""

    schema_version: Literal[1] = 1
    status: Literal["ok", "failed"]
    id: str
    created: str
    tool: ToolPart
    case: CasePart
    model: ModelPart | None = None
    board: BoardPart | None = None
    device: DevicePart | None = None
    schedule: SchedulePart | None = None
    toolchain: ToolchainPart | None = None
    firmware: FirmwarePart | None = None
    latency: LatencyPart | None = None
    sram: SramPart | None = None
    flash: FlashPart | None = None
    energy: None = None
    correctness: CorrectnessPart | None = None
    answer: str | None = None
    ops: tuple[OpPart, ...] = ()
    warnings: tuple[str, ...] = ()
    error: ErrorPart | None = None
    capture: str | None = None
    sweep: SweepPart | None = None
