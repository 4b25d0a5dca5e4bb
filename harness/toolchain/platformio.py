"""PlatformIO as the builder: it compiles our project, its output becomes our errors.

PlatformIO runs as a child in a process group of its own and is killed when it takes too long. Its
checks for updates, its telemetry and its pruning are off; what the user has set for other projects
in ``PLATFORMIO_*`` is not passed on. A build has a core directory of its own, so that nothing is
fetched and no build sees another's.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from harness.board.schema import Board
from harness.board.target import Target
from harness.codegen.sources import Sources
from harness.errors import ToolchainError, UsageError
from harness.toolchain.compiler import COMPILE_TIMEOUT_S, Compiler, find_compiler
from harness.toolchain.firmware import Firmware
from harness.toolchain.gcc import STACK_BYTES, as_firmware, cannot_build, is_built, note_built
from harness.toolchain.link import overflow_error
from harness.toolchain.pio_project import Files, offline_environment, project_files
from harness.toolchain.recipe import Recipe, image_recipe, is_native

_INSTALL = "pip install bench-tinyml[platformio]"
_QUIET = {
    "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
    "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
    "PLATFORMIO_SETTING_CHECK_PRUNE_SYSTEM_THRESHOLD": "0",
    "PLATFORMIO_NO_ANSI": "true",
    "LC_ALL": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",  # so that what it does now is known now
}
_LOOK_S = 0.5
_COMPLAINT = re.compile(r"^\S+?:\d+(:\d+)?: (fatal )?error: .+", re.M)
_OTHER_COMPLAINTS = re.compile(r"^.*(error|undefined reference|could not).*", re.M | re.I)


@dataclass(frozen=True, slots=True)
class Said:
    """How a run of PlatformIO ended, and all that it printed."""

    code: int
    text: str

    def complaint(self) -> str:
        """Return the line that tells best what went wrong."""
        for pattern in (_COMPLAINT, _OTHER_COMPLAINTS):
            if found := pattern.search(self.text):
                return found[0].strip()
        lines = [line for line in self.text.splitlines() if line.strip(" =-")]
        return lines[-1].strip() if lines else f"exit code {self.code}, and it said nothing"


def build(
    sources: Sources,
    target: Target,
    board: Board,
    *,
    out_dir: Path,
    optimize: str = "cycles",
    stack_bytes: int = STACK_BYTES,
) -> Firmware:
    """Let PlatformIO build the project of an image, offline, and return the image.

    It appears in ``out_dir`` when it is whole; one that is there already is taken as it is.

    Raises:
        ToolchainError: PlatformIO or the compiler is missing, or a file was refused.
        DoesNotFitError: the image needs more flash or SRAM than the target has.
        UsageError: no such optimization, or a target that is no board.
    """
    recipe, compiler = _recipe(sources, target, optimize, stack_bytes)
    elf = out_dir / "platformio" / "firmware.elf"
    try:
        if not is_built(elf, recipe.build_id):
            elf.parent.mkdir(parents=True, exist_ok=True)
            files = project_files(sources, recipe, compiler, board)
            with tempfile.TemporaryDirectory(dir=elf.parent) as scratch:
                built = _run_build(Path(scratch), files, board, sources.model_name, target)
                built.replace(elf)
            note_built(elf, recipe.build_id)
    except OSError as error:
        raise cannot_build(out_dir, error) from error
    return as_firmware(elf, sources, recipe, compiler, builder="platformio")


def export(sources: Sources, target: Target, board: Board, *, optimize: str = "cycles") -> Files:
    """Return a complete project of an image as (path, text).

    Raises:
        ToolchainError: the compiler is missing.
        UsageError: no such optimization, or a target that is no board.
    """
    recipe, compiler = _recipe(sources, target, optimize, STACK_BYTES)
    return project_files(sources, recipe, compiler, board)


def _recipe(
    sources: Sources, target: Target, optimize: str, stack_bytes: int
) -> tuple[Recipe, Compiler]:
    """Return the recipe of an image for a board, and the compiler that it is for."""
    if is_native(target):
        raise UsageError(
            "PlatformIO builds for boards, not for this computer", hint="try --device qemu"
        )
    compiler = find_compiler("arm-none-eabi-gcc")
    recipe = image_recipe(sources, target, compiler, optimize=optimize, stack_bytes=stack_bytes)
    return recipe, compiler


def write_project(files: Files, folder: Path) -> None:
    """Write the files of a project; files of others are left as they are."""
    for name, text in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _run_build(project: Path, files: Files, board: Board, model: str, target: Target) -> Path:
    write_project(files, project)
    environment = offline_environment(board)
    said = run_pio(["run", "-e", environment], project=project, core=project / ".pio" / "core")
    if said.code != 0:
        raise overflow_error(model, target, said.text) or ToolchainError(
            f"PlatformIO: {said.complaint()}",
            hint="bench compile --format platformio writes the project; `pio run -v` in it "
            "shows all that was said",
        )
    return project / ".pio" / "build" / environment / "firmware.elf"


def run_pio(
    arguments: Sequence[str],
    *,
    project: Path,
    core: Path | None,
    timeout_s: float = COMPILE_TIMEOUT_S,
    watch: Callable[[str], None] = lambda _: None,
) -> Said:
    """Run PlatformIO in a project and return how it ended.

    ``core`` is where it keeps packages; the user's own place when None. ``watch`` is shown all that
    was said so far, while it runs, and ends it by raising an error.

    Raises:
        ToolchainError: it is not installed, does not start, or has not ended in time.
    """
    command = [*find_pio(), *arguments]
    try:
        child = subprocess.Popen(
            command,
            cwd=project,
            env=_environment(core),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ToolchainError(f"PlatformIO does not start: {error.strerror}") from None
    try:
        text = _communicate(child, timeout_s, watch)
    except subprocess.TimeoutExpired:
        raise ToolchainError(f"pio {' '.join(arguments)}: no end after {timeout_s:.0f} s") from None
    finally:
        # What it started may outlive it, and hold its output open.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
    return Said(child.returncode, text)


def _communicate(
    child: subprocess.Popen[str], timeout_s: float, watch: Callable[[str], None]
) -> str:
    """Return what a child says until its end; raises TimeoutExpired, and what ``watch`` raises."""
    end_s = time.monotonic() + timeout_s
    while True:
        left_s = end_s - time.monotonic()
        try:
            return child.communicate(timeout=max(0.0, min(left_s, _LOOK_S)))[0]
        except subprocess.TimeoutExpired as late:
            if left_s <= 0:
                raise
            watch((late.output or b"").decode(errors="replace"))


def find_pio() -> list[str]:
    """Return the command that runs PlatformIO: the one of our own Python comes first.

    Raises:
        ToolchainError: it is not installed.
    """
    if find_spec("platformio") is not None:
        return [sys.executable, "-m", "platformio"]
    if (path := shutil.which("pio")) is not None:
        return [path]
    raise ToolchainError("PlatformIO is not installed", hint=_INSTALL)


def _environment(core: Path | None) -> dict[str, str]:
    kept = ("PLATFORMIO_CORE_DIR",) if core is None else ()
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PLATFORMIO_") or name in kept
    }
    own = {} if core is None else {"PLATFORMIO_CORE_DIR": str(core)}
    return {**inherited, **_QUIET, **own}
