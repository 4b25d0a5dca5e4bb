"""Options that several commands share, and what prints their results."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Schedule(StrEnum):
    """How memory is planned."""

    AUTO = "auto"
    LAYER = "layer"
    INPLACE = "inplace"


class Optimize(StrEnum):
    """What the compiler should favour."""

    CYCLES = "cycles"
    INSTRUCTIONS = "instructions"
    SIZE = "size"


BoardOption = Annotated[str, typer.Option("--board", help="A name from `bench boards`, or a YAML.")]
ModelOption = Annotated[
    str, typer.Option("--model", help="A name from `bench models`, or a path to a .tflite.")
]
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A name from `bench models`, or a .tflite.")
]
ScheduleOption = Annotated[
    Schedule, typer.Option("--schedule", help="auto takes the one with the least peak.")
]
SramLimitOption = Annotated[
    int | None,
    typer.Option("--sram-limit", min=0, metavar="BYTES", help="Refuse a plan above this."),
]
OptimizeOption = Annotated[
    Optimize, typer.Option("--optimize", help="What the compiler should favour.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
