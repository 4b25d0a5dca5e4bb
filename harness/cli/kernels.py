"""``bench kernels``: one op of one shape on one core, by every variant that there is."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import JsonOption, Optimize, OptimizeOption
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.experiment.kernel_bench import KernelFigures


_MOST = 65_536


class Kind(StrEnum):
    """The op."""

    POINTWISE = "pointwise"
    CONV = "conv"
    DEPTHWISE = "depthwise"
    FULLY_CONNECTED = "fully-connected"
    ADD = "add"
    AVERAGE_POOL = "average-pool"
    MAX_POOL = "max-pool"
    SOFTMAX = "softmax"


class Form(StrEnum):
    """Over what a kernel runs."""

    WHOLE = "whole"
    INPLACE = "inplace"
    ROWS = "rows"


class Clamp(StrEnum):
    """The activation that is fused into the op."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"


def kernels(
    op: Annotated[Kind, typer.Argument(help="The op.", metavar="OP")],
    shape: Annotated[
        str, typer.Option("--shape", metavar="HxWxC|IN", help="Of the input, as in 24x24x64.")
    ],
    out: Annotated[
        int | None, typer.Option("--out", min=1, max=_MOST, help="Output channels.")
    ] = None,
    kernel: Annotated[
        str | None, typer.Option("--kernel", metavar="K|KHxKW", help="Window, as in 3 or 10x4.")
    ] = None,
    stride: Annotated[int, typer.Option("--stride", min=1, max=64, help="Of the window.")] = 1,
    activation: Annotated[
        Clamp, typer.Option("--activation", help="Fused into the op.")
    ] = Clamp.RELU,
    core: Annotated[
        str, typer.Option("--core", help="An emulated core, as in cortex-m4.")
    ] = "cortex-m4",
    form: Annotated[
        Form,
        typer.Option("--form", help="whole tensors, over its own input, or row by row."),
    ] = Form.WHOLE,
    optimize: OptimizeOption = Optimize.CYCLES,
    estimate_cycles: Annotated[
        bool,
        typer.Option("--estimate-cycles", help="By a manual's timings; of cortex-m4 alone."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure one op on an emulated core, by every variant of its kernels."""
    from harness.cli.progress import progress_on_stderr
    from harness.experiment.kernel_bench import Form as KernelForm
    from harness.experiment.kernel_bench import KernelCase, bench_kernel, find_core
    from harness.ir.ops import Activation
    from harness.models.one_op import OneOp, OneOpShape
    from harness.report.console import stdout_console
    from harness.report.kernel_table import kernel_table

    sizes = _sizes("--shape", shape)
    window = None if kernel is None else _sizes("--kernel", kernel)
    if window is not None and len(window) > 2:
        raise UsageError(f"--kernel {kernel} is not a window", hint="as in 3 or 10x4")
    case = KernelCase(
        shape=OneOpShape(
            op=OneOp(op.value),
            shape=sizes,
            channels=out,
            kernel=None if window is None else (window[0], window[-1]),
            stride=stride,
            activation=Activation(activation.value.upper()),
        ),
        core=find_core(core),
        form=KernelForm(form.value),
        optimize=optimize.value,
        is_estimated=estimate_cycles,
    )
    with progress_on_stderr() as report:
        figures = bench_kernel(case, report)
    if as_json:
        json.dump({"variants": [asdict(found) for found in figures]}, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        stdout_console().print(kernel_table(case, figures))
    _check(figures)


def _sizes(option: str, text: str) -> tuple[int, ...]:
    parts = text.split("x")
    are_sizes = all(p.isascii() and p.isdigit() and 0 < int(p) <= _MOST for p in parts)
    if len(parts) > 3 or not are_sizes:
        raise UsageError(f"{option} {text} is not a shape", hint="as in 24x24x64")
    return tuple(map(int, parts))


def _check(figures: tuple[KernelFigures, ...]) -> None:
    from harness.errors import OutputsDifferError

    wrong = [found.variant for found in figures if not found.is_bit_exact]
    if wrong:
        raise OutputsDifferError(
            f"outputs of {', '.join(wrong)} differ from the reference",
            hint="this is a fault of bench; please report it with the command",
        )
