"""Sources to firmware: one image of the runtime, a port and a generated model.

An image that is there already with the same build id (:mod:`harness.toolchain.recipe`) is taken as
it is, if it is still the file that was linked.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from harness.board.target import Target
from harness.codegen.sources import Sources
from harness.data import cache_dir, data_dir
from harness.errors import ToolchainError
from harness.toolchain.compiler import Compiler, Unit, compile_units, digest, find_compiler, run
from harness.toolchain.firmware import Builder, Firmware
from harness.toolchain.footprint import firmware_footprint, host_footprint
from harness.toolchain.link import overflow_error
from harness.toolchain.recipe import Recipe, image_recipe, is_native

STACK_BYTES = 2048
"""Default of ``build``. An inference takes up to 772 B (kws by rows on a Cortex-M4), the harness's
own frames included; what goes past the end faults by name."""


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
        raise cannot_build(out_dir, error) from error


def _build(
    sources: Sources,
    target: Target,
    out_dir: Path,
    optimize: str,
    stack_bytes: int,
    sanitize: bool,
    cache: Path | None,
) -> Firmware:
    compiler = find_compiler("cc" if is_native(target) else "arm-none-eabi-gcc")
    recipe = image_recipe(
        sources, target, compiler, optimize=optimize, stack_bytes=stack_bytes, sanitize=sanitize
    )
    elf = out_dir / ("firmware" if is_native(target) else "firmware.elf")
    if not is_built(elf, recipe.build_id):
        out_dir.mkdir(parents=True, exist_ok=True)
        objects = _compile(recipe, compiler, out_dir, cache or cache_dir("objects"))
        try:
            _link(recipe, compiler, objects, elf)
        except ToolchainError as error:
            raise overflow_error(sources.model_name, target, error.message) or error from None
        note_built(elf, recipe.build_id)
    return as_firmware(elf, sources, recipe, compiler, builder="direct")


def as_firmware(
    elf: Path, sources: Sources, recipe: Recipe, compiler: Compiler, *, builder: Builder
) -> Firmware:
    """Return an image that was linked by a recipe, with its footprint."""
    weights = sources.weights_bytes
    footprint = (
        host_footprint(elf, weights_bytes=weights)
        if is_native(recipe.target)
        else firmware_footprint(elf)
    )
    return Firmware(
        elf=elf,
        elf_sha256=_sha256(elf),
        build_id=recipe.build_id,
        model_sha256=sources.model_sha256,
        target=recipe.target,
        compiler=compiler.command,
        version=compiler.version,
        flags=recipe.model_flags,
        kernels=_kernels_version(),
        footprint=footprint,
        builder=builder,
    )


def cannot_build(out_dir: Path, error: OSError) -> ToolchainError:
    """Return what a failure to write means."""
    return ToolchainError(
        f"cannot build in {error.filename or out_dir}: {error.strerror or error}",
        hint="make room, or name a writable folder in BENCH_CACHE",
    )


def note_built(elf: Path, build_id: str) -> None:
    """Note which image an ELF is, for :func:`is_built`."""
    _write(_stamp(elf), f"{build_id} {_sha256(elf)}\n")


def _stamp(elf: Path) -> Path:
    return elf.with_name("built")


def is_built(elf: Path, build_id: str) -> bool:
    """Return whether an image is what this build would make, to the byte."""
    try:
        return _stamp(elf).read_text().split() == [build_id, _sha256(elf)]
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _compile(recipe: Recipe, compiler: Compiler, out_dir: Path, cache: Path) -> list[Path]:
    """Return the objects of the generated and of the hand-written files."""
    generated = [_write(out_dir / name, text) for name, text in recipe.generated]
    runtime = data_dir("firmware")
    model_include = (out_dir, runtime / "include", runtime / "kernels")
    runtime_include = (runtime / "include", runtime / "ports")
    units = [Unit(f, recipe.model_flags, model_include) for f in generated if f.suffix == ".c"]
    units += [Unit(runtime / f, recipe.runtime_flags, runtime_include) for f in recipe.runtime]
    return compile_units(compiler, units, cache=cache)


def _write(path: Path, text: str) -> Path:
    """Write a file in one step, since another build may be reading the one that is there."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(text)
    return Path(file.name).replace(path)


def _kernels_version() -> str:
    folder = data_dir("firmware") / "kernels"
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".c", ".h"))
    names = (f.relative_to(folder).as_posix().encode() for f in files)
    return digest(
        part for name, f in zip(names, files, strict=True) for part in (name, f.read_bytes())
    )[:12]


def _link(recipe: Recipe, compiler: Compiler, objects: list[Path], elf: Path) -> None:
    """Link an image, which appears only when it is whole."""
    command = [compiler.path, *recipe.link_flags, *map(str, objects)]
    if recipe.script:
        script = _write(elf.with_suffix(".ld"), recipe.script)
        command += ["-T", str(script), f"-L{data_dir('firmware') / 'cortex_m'}"]
    with tempfile.TemporaryDirectory(dir=elf.parent) as scratch:
        fresh = Path(scratch) / elf.name
        run([*command, "-o", str(fresh)], what=f"linking {elf.name}")
        fresh.replace(elf)
