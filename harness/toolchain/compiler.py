"""Compiler processes: found, asked for their version, run in parallel, their complaints kept short.

An object is cached under a key of all that went into it: the compiler's version, the flags, the
file's own text and a digest of every header it could include. So a second build of the same model
only links, and a stale object cannot be taken.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ToolchainError

COMPILE_TIMEOUT_S = 600.0
CACHE_BYTES_MAX = 1 << 29
_ERROR_LINES = 12
_TELLING = ("error", "undefined", "overflowed")
_INSTALL = {
    "arm-none-eabi-gcc": (
        "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
        "brew install --cask gcc-arm-embedded",
    ),
    "cc": ("apt-get install gcc libc6-dev", "xcode-select --install"),
}


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler on this computer; ``version`` is the first line that it says of itself."""

    command: str
    path: str
    version: str


@dataclass(frozen=True, slots=True)
class Unit:
    """One C file to compile, and how."""

    source: Path
    flags: tuple[str, ...]
    include: tuple[Path, ...]


def find_compiler(command: str) -> Compiler:
    """Return a compiler by name.

    Raises:
        ToolchainError: it is not installed or does not answer.
    """
    path = shutil.which(command)
    if path is None:
        apt, brew = _INSTALL[command]
        hint = brew if platform.system() == "Darwin" else f"{apt} (or `make setup`)"
        raise ToolchainError(f"{command} is not on PATH", hint=hint)
    version = run([path, "--version"], what=f"{command} --version").partition("\n")[0]
    return Compiler(command=command, path=path, version=version)


def run(command: Sequence[str], *, what: str, timeout_s: float = COMPILE_TIMEOUT_S) -> str:
    """Run a tool and return what it printed on both streams.

    Raises:
        ToolchainError: it failed, could not be started or took too long.
    """
    try:
        # A fixed locale, since the linker's complaints are read.
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise ToolchainError(f"{what}: no end after {timeout_s:.0f} s") from None
    except OSError as error:
        raise ToolchainError(f"{what}: {error.strerror}: {command[0]}") from None
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise ToolchainError(f"{what} failed:\n{shorten(output)}")
    return output


def shorten(output: str) -> str:
    """Return the lines of a compiler's complaint that name errors, the first dozen of them."""
    lines = [line for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in _TELLING)] or lines
    shown = telling[:_ERROR_LINES]
    more = len(telling) - len(shown)
    return "\n".join([*shown, *([f"... and {more} more lines"] if more else [])])


def digest(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of parts, each led by its length so that no two lists collide."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


def compile_units(compiler: Compiler, units: Sequence[Unit], *, cache: Path) -> list[Path]:
    """Return the objects of all units, in their order, compiled on every core at hand.

    Raises:
        ToolchainError: the compiler refused one.
    """
    cache.mkdir(parents=True, exist_ok=True)
    _prune(cache)
    headers = {folder: _headers(folder) for unit in units for folder in unit.include}

    def compile_one(unit: Unit) -> Path:
        key = digest(
            [
                compiler.version.encode(),
                *(flag.encode() for flag in unit.flags),
                *(headers[folder].encode() for folder in unit.include),
                unit.source.read_bytes(),
            ]
        )
        # The name is part of the path so that the linker's messages speak of files, not digests.
        found = cache / key[:2] / key / f"{unit.source.name}.o"
        try:
            os.utime(found)  # the cache drops what was not used for longest
        except FileNotFoundError:
            found.parent.mkdir(parents=True, exist_ok=True)
            includes = [f"-I{folder}" for folder in unit.include]
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                fresh = Path(scratch) / "unit.o"
                command = [compiler.path, *unit.flags, *includes, "-c", str(unit.source)]
                run([*command, "-o", str(fresh)], what=f"compiling {unit.source.name}")
                fresh.replace(found)
        return found

    # Long units first, so that no core waits for one that was begun last.
    order = sorted(set(units), key=lambda unit: unit.source.stat().st_size, reverse=True)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        objects = dict(zip(order, pool.map(compile_one, order), strict=True))
    return [objects[unit] for unit in units]


def _prune(cache: Path) -> None:
    """Delete the objects that were not used for longest while there are too many bytes of them."""
    objects = sorted(
        ((status.st_mtime, status.st_size, path) for path, status in _statuses(cache)), reverse=True
    )
    total = 0
    for _, size, path in objects:
        total += size
        if total > CACHE_BYTES_MAX:
            path.unlink(missing_ok=True)


def _statuses(cache: Path) -> Iterator[tuple[Path, os.stat_result]]:
    # Only folders that stay: other builds make and remove their own beside them.
    for path in cache.glob("??/*/*.o"):
        with contextlib.suppress(FileNotFoundError):  # another build may be pruning
            yield path, path.stat()


def _headers(folder: Path) -> str:
    """Return a digest of all headers below a folder."""
    return digest(
        part
        for header in sorted(folder.rglob("*.h"))
        for part in (header.relative_to(folder).as_posix().encode(), header.read_bytes())
    )
