"""Sources to firmware: one image of the runtime, a port and a generated model.

The build id is a digest of everything that went in: generated and hand-written sources, flags,
compiler version, target. It is compiled into the image, so that the host can tell whether the
board runs what was built.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import platformdirs

from harness.board.schema import DeviceKind
from harness.board.target import Target
from harness.codegen.sources import Sources
from harness.data import data_dir
from harness.errors import ToolchainError
from harness.toolchain.compiler import Compiler, Unit, compile_units, digest, find_compiler, run
from harness.toolchain.firmware import Firmware
from harness.toolchain.flags import compile_flags
from harness.toolchain.footprint import firmware_footprint, host_footprint
from harness.toolchain.link import memory_script, overflow_error

STACK_BYTES = 4096
"""Default of ``build``; the deepest portable kernel takes less than a quarter of it."""

_HOST_LINK_FLAGS = ("-Wl,--gc-sections",)
_FIRMWARE_LINK_FLAGS = ("-nostartfiles", "-Wl,--gc-sections", "-Wl,--build-id=none", "-static")


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
        ToolchainError: the compiler is missing, or refused a file.
        DoesNotFitError: the image needs more flash or SRAM than the target has.
        UsageError: no such optimization.
    """
    is_host = target.kind is DeviceKind.HOST
    compiler = find_compiler("cc" if is_host else "arm-none-eabi-gcc")
    flags = compile_flags(target, optimize, sanitize=sanitize)
    runtime = data_dir("firmware")
    include = [runtime / "include", runtime / "kernels", runtime / "ports"]
    build_id = _build_id(sources, target, compiler, (*flags, str(stack_bytes)), runtime)

    out_dir.mkdir(parents=True, exist_ok=True)
    for name, text in sources.files:
        (out_dir / name).write_text(text, encoding="utf-8")
    (out_dir / "identity.c").write_text(_identity_c(build_id, sources.model_sha256))
    generated = [Unit(n, out_dir / n) for n, _ in sources.files if n.endswith(".c")]
    units = [*generated, Unit("identity.c", out_dir / "identity.c"), *_runtime_units(target)]

    cache = cache or Path(platformdirs.user_cache_dir("bench")) / "objects"
    cache.mkdir(parents=True, exist_ok=True)
    objects = compile_units(compiler, flags, units, include=[out_dir, *include], cache=cache)
    elf = out_dir / ("firmware" if is_host else "firmware.elf")
    if is_host:
        _link(compiler, flags, [*_HOST_LINK_FLAGS], objects, elf)
        footprint = host_footprint(elf, weights_bytes=sources.weights_bytes)
    else:
        (out_dir / "firmware.ld").write_text(memory_script(target, stack_bytes))
        script = ["-T", str(out_dir / "firmware.ld"), f"-L{runtime / 'cortex_m'}"]
        try:
            _link(compiler, flags, [*_FIRMWARE_LINK_FLAGS, *script], objects, elf)
        except ToolchainError as error:
            raise overflow_error(sources.model_name, target, error.message) or error from None
        footprint = firmware_footprint(elf)
    return Firmware(
        elf=elf,
        elf_sha256=hashlib.sha256(elf.read_bytes()).hexdigest(),
        build_id=build_id,
        model_sha256=sources.model_sha256,
        target=target,
        compiler=compiler.command,
        version=compiler.version,
        flags=flags,
        footprint=footprint,
    )


def _runtime_units(target: Target) -> list[Unit]:
    """Return the hand-written files of an image, each folder's in order of name."""
    runtime = data_dir("firmware")
    folders = [runtime / "core", runtime / "ports" / target.port]
    if target.kind is not DeviceKind.HOST:
        folders.append(runtime / "cortex_m")
    units = [Unit(f"{d.name}_{f.name}", f) for d in folders for f in sorted(d.glob("*.c"))]
    if not (runtime / "ports" / target.port).is_dir():
        raise ToolchainError(f"{target.board}: no firmware port {target.port!r} in {runtime}/ports")
    return units


def _build_id(
    sources: Sources, target: Target, compiler: Compiler, flags: Sequence[str], runtime: Path
) -> str:
    hand_written = sorted(f for f in runtime.rglob("*") if f.suffix in (".c", ".h", ".ld"))
    parts = [
        *(part.encode() for file in sources.files for part in file),
        *(part for f in hand_written for part in (f.name.encode(), f.read_bytes())),
        sources.model_sha256.encode(),
        compiler.version.encode(),
        *(flag.encode() for flag in flags),
        repr(astuple(target)).encode(),
    ]
    return digest(parts)[:16]


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
    link_flags: Sequence[str],
    objects: Sequence[Path],
    elf: Path,
) -> None:
    files = [str(path) for path in objects]
    command = [compiler.path, *flags, *link_flags, *files, "-o", str(elf)]
    run(command, what=f"linking {elf.name}")
