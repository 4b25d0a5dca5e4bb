"""Sources to firmware: one image of the runtime, a port and a generated model.

The build id is a digest of everything that went in: generated and hand-written sources, flags,
compiler version, target. It is compiled into the image, so that the host can tell whether the
board runs what was built. An image that is there already with the same build id is taken as it is,
if it is still the file that was linked.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

from harness.board.schema import DeviceKind
from harness.board.target import Target
from harness.codegen.sources import Sources
from harness.data import cache_dir, data_dir
from harness.errors import ToolchainError
from harness.toolchain.compiler import Compiler, Unit, compile_units, digest, find_compiler, run
from harness.toolchain.firmware import Firmware
from harness.toolchain.flags import compile_flags
from harness.toolchain.footprint import firmware_footprint, host_footprint
from harness.toolchain.link import memory_script, overflow_error

STACK_BYTES = 2048
"""Default of ``build``. An inference takes up to 772 B (kws by rows on a Cortex-M4), the harness's
own frames included; what goes past the end faults by name."""

_BARE_METAL = ("-nostartfiles", "-static", "-Wl,--build-id=none", "-Wl,--strip-debug")


def build(
    sources: Sources,
    target: Target,
    *,
    out_dir: Path,
    optimize: str = "cycles",
    stack_bytes: int = STACK_BYTES,
    sanitize: bool = False,
    cache: Path | None = None,
) -> Firmware:
    """Write the sources to ``out_dir``, compile and link them, and return the image.

    ``sanitize`` is for native builds. ``cache`` keeps objects between builds; the user's own
    cache folder when None.

    Raises:
        ToolchainError: the compiler is missing, refused a file, or nothing can be written.
        DoesNotFitError: the image needs more flash or SRAM than the target has.
        UsageError: no such optimization.
    """
    try:
        return _build(sources, target, out_dir, optimize, stack_bytes, sanitize, cache)
    except OSError as error:
        raise ToolchainError(
            f"cannot build in {error.filename or out_dir}: {error.strerror or error}",
            hint="make room, or name a writable folder in BENCH_CACHE",
        ) from error


def _build(
    sources: Sources,
    target: Target,
    out_dir: Path,
    optimize: str,
    stack_bytes: int,
    sanitize: bool,
    cache: Path | None,
) -> Firmware:
    compiler = find_compiler("cc" if _is_native(target) else "arm-none-eabi-gcc")
    flags = compile_flags(target, optimize, sanitize=sanitize)
    build_id = _build_id(sources, target, compiler, (*flags, str(stack_bytes)))
    elf = out_dir / ("firmware" if _is_native(target) else "firmware.elf")
    if not _is_built(elf, build_id):
        out_dir.mkdir(parents=True, exist_ok=True)
        objects = _compile(sources, target, compiler, out_dir, optimize, build_id, sanitize, cache)
        _link(compiler, flags, objects, sources, target, elf, stack_bytes)
        _write(_stamp(elf), f"{build_id} {_sha256(elf)}\n")
    weights = sources.weights_bytes
    footprint = (
        host_footprint(elf, weights_bytes=weights)
        if _is_native(target)
        else firmware_footprint(elf)
    )
    return Firmware(
        elf=elf,
        elf_sha256=_sha256(elf),
        build_id=build_id,
        model_sha256=sources.model_sha256,
        target=target,
        compiler=compiler.command,
        version=compiler.version,
        flags=flags,
        kernels=_kernels_version(),
        footprint=footprint,
    )


def _stamp(elf: Path) -> Path:
    return elf.with_name("built")


def _is_built(elf: Path, build_id: str) -> bool:
    """Return whether an image is what this build would make, to the byte."""
    try:
        return _stamp(elf).read_text().split() == [build_id, _sha256(elf)]
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _compile(
    sources: Sources,
    target: Target,
    compiler: Compiler,
    out_dir: Path,
    optimize: str,
    build_id: str,
    sanitize: bool,
    cache: Path | None,
) -> list[Path]:
    """Return the objects of the generated and of the hand-written files."""
    flags = compile_flags(target, optimize, sanitize=sanitize)
    generated = [
        *(_write(out_dir / name, text) for name, text in sources.files),
        _write(out_dir / "identity.c", _identity_c(build_id, sources.model_sha256)),
    ]
    runtime = data_dir("firmware")
    model_include = (out_dir, runtime / "include", runtime / "kernels")
    units = [Unit(f, flags, model_include) for f in generated if f.suffix == ".c"]
    units += _runtime_units(target, compile_flags(target, "size", sanitize=sanitize))
    return compile_units(compiler, units, cache=cache or cache_dir("objects"))


def _is_native(target: Target) -> bool:
    return target.kind is DeviceKind.HOST


def _write(path: Path, text: str) -> Path:
    """Write a file in one step, since another build may be reading the one that is there."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(text)
    return Path(file.name).replace(path)


def _runtime_units(target: Target, flags: tuple[str, ...]) -> list[Unit]:
    """Return the hand-written files of an image: always small, since none of it is measured."""
    runtime = data_dir("firmware")
    port = runtime / "ports" / target.port
    if not port.is_dir():
        raise ToolchainError(f"{target.board}: no firmware port {target.port!r} in {port.parent}")
    folders = [runtime / "core", port]
    if not _is_native(target):
        folders.append(runtime / "cortex_m")
    include = (runtime / "include", runtime / "ports")
    return [Unit(file, flags, include) for d in folders for file in sorted(d.glob("*.c"))]


def _build_id(sources: Sources, target: Target, compiler: Compiler, flags: Sequence[str]) -> str:
    runtime = data_dir("firmware")
    hand_written = sorted(f for f in runtime.rglob("*") if f.suffix in (".c", ".h", ".ld"))
    parts = [
        *(part.encode() for file in sources.files for part in file),
        *(part for f in hand_written for part in (f.name.encode(), f.read_bytes())),
        sources.model_sha256.encode(),
        compiler.version.encode(),
        *(flag.encode() for flag in flags),
        repr(astuple(_linked_for(target))).encode(),
    ]
    return digest(parts)[:16]


def _kernels_version() -> str:
    folder = data_dir("firmware") / "kernels"
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".c", ".h"))
    names = (f.relative_to(folder).as_posix().encode() for f in files)
    return digest(
        part for name, f in zip(names, files, strict=True) for part in (name, f.read_bytes())
    )[:12]


def _linked_for(target: Target) -> Target:
    """Return a target as the image knows it: a board and a model of it run the same one."""
    return target if _is_native(target) else replace(target, kind=DeviceKind.HARDWARE)


def _identity_c(build_id: str, model_sha256: str) -> str:
    def octets(digits: str) -> str:
        return ", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(digits))

    return (
        "/* Which image this is: generated by the build, do not edit. */\n"
        '#include "identity.h"\n\n'
        '__attribute__((section(".bench_identity"), used)) const identity_t identity = {\n'
        '    .magic = "bench-1",\n'
        f"    .build_id = {{{octets(build_id)}}},\n"
        f"    .model_sha256 = {{{octets(model_sha256)}}},\n"
        "};\n"
    )


def _link(
    compiler: Compiler,
    flags: Sequence[str],
    objects: Sequence[Path],
    sources: Sources,
    target: Target,
    elf: Path,
    stack_bytes: int,
) -> None:
    """Link an image, which appears only when it is whole."""
    command = [compiler.path, *flags, "-Wl,--gc-sections", *map(str, objects)]
    if not _is_native(target):
        script = _write(elf.with_suffix(".ld"), memory_script(target, stack_bytes))
        command += [*_BARE_METAL, "-T", str(script), f"-L{data_dir('firmware') / 'cortex_m'}"]
    with tempfile.TemporaryDirectory(dir=elf.parent) as scratch:
        fresh = Path(scratch) / elf.name
        try:
            run([*command, "-o", str(fresh)], what=f"linking {elf.name}")
        except ToolchainError as error:
            raise overflow_error(sources.model_name, target, error.message) or error from None
        fresh.replace(elf)
