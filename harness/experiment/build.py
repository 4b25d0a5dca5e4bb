"""The image of a case, from the builder that the case asks for."""

from __future__ import annotations

from harness.codegen.sources import Sources
from harness.experiment.case import Found
from harness.toolchain import gcc, platformio
from harness.toolchain.firmware import Firmware
from harness.toolchain.workspace import build_dir


def build_case(found: Found, sources: Sources) -> Firmware:
    """Build the image of a case in the user's cache, or take the one that is there.

    Raises:
        ToolchainError: a compiler or builder is missing, or refused a file.
        DoesNotFitError: the image needs more flash or SRAM than the target has.
        UsageError: no such optimization, or a builder that cannot build for the device.
    """
    case = found.case
    out_dir = build_dir(sources, found.target, case.optimize)
    match case.builder:
        case "direct":
            return gcc.build(sources, found.target, out_dir=out_dir, optimize=case.optimize)
        case "platformio":
            return platformio.build(
                sources, found.target, found.board, out_dir=out_dir, optimize=case.optimize
            )
