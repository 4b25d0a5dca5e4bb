"""Compiler flags: the warnings that are errors, the cores, and what each optimization means."""

from __future__ import annotations

from harness.board.schema import Core, DeviceKind
from harness.board.target import Target
from harness.errors import UsageError, near_names

WARNINGS = (
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-Wundef",
    "-Wdouble-promotion",
    "-Wcast-align",
    "-Wcast-qual",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wold-style-definition",
    "-Wpointer-arith",
    "-Wwrite-strings",
    "-Wvla",
    "-Wformat=2",
    "-Wnull-dereference",
    "-Wlogical-op",
    "-Wduplicated-cond",
    "-Wduplicated-branches",
)

_SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")

_FAST = ("-O3", "-funroll-loops")
OPTIMIZATIONS: dict[str, tuple[str, ...]] = {
    "cycles": _FAST,
    "instructions": _FAST,
    "size": ("-Os",),
}
"""What ``--optimize`` takes. Cycles and instructions differ in kernels alone.

Portable kernels, GCC 12, Cortex-M4, vww and ic, in million instructions: -O3 -funroll-loops 21.8
and 31.0, -O3 24.1 and 37.0, -O2 26.6 and 37.8, -Os 54.1 and 65.6; unrolling costs 4 to 7 kB.
"""

_HOST = ("-D_POSIX_C_SOURCE=200809L",)
_SECTIONS = ("-ffunction-sections", "-fdata-sections")


def optimization_flags(optimize: str) -> tuple[str, ...]:
    """Return the flags of an optimization.

    Raises:
        UsageError: no such optimization.
    """
    try:
        return OPTIMIZATIONS[optimize]
    except KeyError:
        raise UsageError(
            f"unknown optimization {optimize!r}", hint=near_names(optimize, OPTIMIZATIONS)
        ) from None


def core_flags(target: Target) -> tuple[str, ...]:
    """Return what tells GCC the core and its floating point.

    The names of floating-point units are GCC's ("ARM Options" in its manual). On a Cortex-M55
    -mcpu alone implies both floating point and MVE.
    """
    core = (f"-mcpu={target.core.value}", "-mthumb")
    match target.core, target.fpu:
        case Core.CORTEX_M55, "single" | "double":
            return (*core, "-mfloat-abi=hard")
        case _, "none":
            return (*core, "-mfloat-abi=soft")
        case Core.CORTEX_M4, _:
            unit = "fpv4-sp-d16"
        case _, "double":
            unit = "fpv5-d16"
        case _:
            unit = "fpv5-sp-d16"
    return (*core, f"-mfpu={unit}", "-mfloat-abi=hard")


def compile_flags(target: Target, optimize: str, *, sanitize: bool = False) -> tuple[str, ...]:
    """Return the flags that compile one C file for a target; ``sanitize`` is for native builds.

    Raises:
        UsageError: no such optimization.
    """
    is_host = target.kind is DeviceKind.HOST
    return (
        "-std=c11",
        *(_HOST if is_host else ("-ffreestanding", *core_flags(target))),
        *optimization_flags(optimize),
        *(_SANITIZERS if is_host and sanitize else ()),
        *_SECTIONS,
        *WARNINGS,
    )
