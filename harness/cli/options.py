"""Options that several commands share, and what prints their results."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.experiment.case import Case


class Schedule(StrEnum):
    """How memory is planned."""

    AUTO = "auto"
    LAYER = "layer"
    INPLACE = "inplace"
    PATCH = "patch"
    STREAM = "stream"


class Optimize(StrEnum):
    """What kernels and the compiler should favour."""

    CYCLES = "cycles"
    INSTRUCTIONS = "instructions"
    SIZE = "size"


class Builder(StrEnum):
    """Who calls the compiler."""

    DIRECT = "direct"
    PLATFORMIO = "platformio"


BoardOption = Annotated[str, typer.Option("--board", help="A name from `bench boards`, or a YAML.")]
ModelOption = Annotated[
    str, typer.Option("--model", help="A name from `bench models`, or a path to a .tflite.")
]
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A name from `bench models`, or a .tflite.")
]
ScheduleOption = Annotated[
    Schedule, typer.Option("--schedule", help="auto takes the least work that fits.")
]
SramLimitOption = Annotated[
    int | None,
    typer.Option(
        "--sram-limit",
        min=0,
        metavar="BYTES",
        help="Refuse a plan above this; patch, stream and auto take the least work that fits.",
    ),
]
FlashLimitOption = Annotated[
    int | None,
    typer.Option(
        "--flash-limit",
        min=0,
        metavar="BYTES",
        help="Refuse an image above this; auto takes the least work that fits. Unless given, what "
        "the board has.",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        help="auto, hardware, hardware:PLACE, renode, qemu, host, or replay:FILE (a capture). auto "
        "takes the board if a lab file names it and its port is there, else Renode if it is "
        "installed and knows the board, else QEMU.",
    ),
]
LabOption = Annotated[
    str | None,
    typer.Option(
        "--lab",
        metavar="FILE|sim|labgrid://HOST:PORT",
        help="Where your boards are: a lab file, or sim for simulated ones. Unless given: "
        "$BENCH_LAB, ./lab.yaml, or the one in your configuration folder.",
    ),
]
FlashOption = Annotated[
    str,
    typer.Option(
        "--flash",
        help="What programs real boards: pyocd, platformio, or none if the image is there already.",
    ),
]
OptimizeOption = Annotated[
    Optimize,
    typer.Option(
        "--optimize",
        help="cycles takes the kernels with the fewest estimated cycles where the board's YAML "
        "names a table of timings, else with the fewest instructions that are small; instructions "
        "the fewest, whatever flash they take; size less flash for a few percent more of them.",
    ),
]
BuilderOption = Annotated[
    Builder,
    typer.Option("--builder", help="Who calls the compiler; the image is the same to the byte."),
]
PassesOption = Annotated[
    str,
    typer.Option(
        "--passes",
        metavar="LIST",
        help="all, none, NAME,NAME for those alone, or -NAME for all but one; `bench plan` lists "
        "them. Those without which no model runs are always done.",
    ),
]
InputByRowsOption = Annotated[
    bool,
    typer.Option(
        "--input-by-rows", help="Deliver the input row by row, so that it is never whole."
    ),
]
PatchOpsOption = Annotated[
    int | None,
    typer.Option("--patch-ops", min=1, metavar="N", help="Of schedule patch: the first N ops."),
]
PatchGridOption = Annotated[
    str | None,
    typer.Option("--patch-grid", metavar="P|DOWNxACROSS", help="Of schedule patch: P x P patches."),
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", min=1, max=1024, help="Cases at a time; one a core unless given."),
]
InsteadOption = Annotated[
    str | None,
    typer.Option("--device", help="In place of the specification's devices."),
]
StoreOption = Annotated[Path, typer.Option("--store", help="Folder of records.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def hand_set_patches(
    ops: int | None, grid: str | None, schedule: Schedule
) -> tuple[int, tuple[int, int]] | None:
    """Return the split that --patch-ops and --patch-grid set, None if it is to be searched.

    Raises UsageError when one is given without the other, or for another schedule.
    """
    if ops is None and grid is None:
        return None
    if schedule is not Schedule.PATCH:
        raise UsageError("--patch-ops and --patch-grid are of --schedule patch")
    if ops is None or grid is None:
        raise UsageError("--patch-ops and --patch-grid go together")
    parts = grid.split("x")
    if len(parts) > 2 or not all(p.isascii() and p.isdigit() and int(p) for p in parts):
        raise UsageError(f"--patch-grid {grid} is not a number of patches", hint="as in 3 or 2x4")
    return ops, (int(parts[0]), int(parts[-1]))


def named_case(
    board: str,
    model: str,
    device: str,
    schedule: Schedule,
    limits: tuple[int | None, int | None],
    input_by_rows: bool,
    patches: tuple[int | None, str | None],
    optimize: Optimize,
    passes: str,
) -> Case:
    """Return the case that the options of ``run`` and ``compile`` name; ``patches`` by hand.

    ``limits`` are those of SRAM and of flash.

    Raises UsageError when options do not go together.
    """
    from harness.experiment.case import Case

    return Case(
        board=board,
        model=model,
        device=device,
        schedule=schedule.value,
        sram_limit=limits[0],
        flash_limit=limits[1],
        input_by_rows=input_by_rows,
        patch=hand_set_patches(*patches, schedule),
        optimize=optimize.value,
        passes=passes,
    )
