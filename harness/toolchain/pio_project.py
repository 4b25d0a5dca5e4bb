"""A complete PlatformIO project of one image, as text.

``platformio.ini`` has two environments. The one with the board's name takes PlatformIO's platform
for the chip (its compiler, its uploader), which its registry delivers. The one that ends in
``-offline`` takes the platform of ``firmware/platformio/platform``, which comes along and needs
nothing but a compiler. Both build by ``build.py``, a pre-script that puts our files, flags and
linker script in the place of the platform's (PlatformIO documentation, "Advanced Scripting"), so
with the same compiler both give the image that :mod:`harness.toolchain.gcc` links, to the byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness import __version__
from harness.board.schema import Board
from harness.board.target import Target
from harness.codegen.sources import Sources
from harness.data import data_dir
from harness.toolchain.compiler import Compiler
from harness.toolchain.recipe import Recipe

GCC = "platformio/toolchain-gccarmnoneeabi@~1.120301.0"
"""GCC 12.3, which the ststm32 platform's newer frameworks take; without a framework both vendors'
platforms would take GCC 7 (platform.json of platform-ststm32 19.6.0, platform-nordicnrf52 10.11.0).
"""

Files = tuple[tuple[str, str], ...]


def project_files(sources: Sources, recipe: Recipe, compiler: Compiler, board: Board) -> Files:
    """Return all files of a project as (path, text), in the order of their paths."""
    model = (("src/" + name, text) for name, text in recipe.generated)
    made = {
        **dict(model),
        **dict(_runtime_files(recipe)),
        "build.py": _support("build.py"),
        **dict(offline_files(board, recipe.target)),
        "platformio.ini": project_ini(sources, recipe, board),
        "build.json": build_json(recipe, compiler),
        "firmware.ld": recipe.script,
        ".gitignore": ".pio\n",
    }
    return tuple(sorted(made.items()))


def offline_files(board: Board, target: Target) -> Files:
    """Return the platform that needs no network, with one board."""
    names = ("platform.json", "platform.py", "builder/main.py")
    return (
        *((f"platform/{name}", _support(f"platform/{name}")) for name in names),
        (f"platform/boards/{board.name}.json", board_json(board, target)),
    )


def _support(name: str) -> str:
    return (data_dir("firmware") / "platformio" / name).read_text(encoding="utf-8")


def project_ini(sources: Sources, recipe: Recipe, board: Board) -> str:
    """Return ``platformio.ini``; an image for a stand-in has only the offline environment."""
    offline = offline_environment(board)
    has_vendor = bool(vendor_environment(board)) and not recipe.target.machine
    lines = [
        f"; {sources.model_name} on {board.name}: written by bench {__version__}.",
        f"; Image {recipe.build_id}; what it is built from is in build.json.",
        "",
        "[platformio]",
        f"default_envs = {board.name if has_vendor else offline}",
        "",
        "[env]",
        "extra_scripts = pre:build.py",
        "; The default framework of tests would be fetched from the network.",
        "test_framework = custom",
    ]
    if board.console is not None:
        lines.append(f"monitor_speed = {board.console.baud}")
    if has_vendor:
        lines += ["", *vendor_environment(board), f"platform_packages = {GCC}"]
    lines += ["", *_offline(board, " --lab sim" if recipe.target.machine else "")]
    return "\n".join(lines) + "\n"


def offline_environment(board: Board) -> str:
    """Return the name of the environment that needs no network."""
    return f"{board.name}-offline"


def vendor_environment(board: Board) -> list[str]:
    """Return the lines of the environment with PlatformIO's own platform, none if it has none."""
    if board.platformio_platform is None or board.platformio_board is None:
        return []
    return [
        f"[env:{board.name}]",
        f"platform = {board.platformio_platform}",
        f"board = {board.platformio_board}",
    ]


def _offline(board: Board, lab: str) -> list[str]:
    return [
        f"[env:{offline_environment(board)}]",
        "platform = symlink://${PROJECT_DIR}/platform",
        f"board = {board.name}",
        "upload_protocol = custom",
        f'upload_command = bench flash --board {board.name}{lab} "$SOURCE"',
    ]


def build_json(recipe: Recipe, compiler: Compiler) -> str:
    """Return what ``build.py`` compiles and links, and how."""
    generated = [f"src/{name}" for name, _ in recipe.generated if name.endswith(".c")]
    runtime = [f"firmware/{file.as_posix()}" for file in recipe.runtime]
    return _json(
        {
            "build_id": recipe.build_id,
            "compiler": compiler.version,
            "flags": {"model": recipe.model_flags, "runtime": recipe.runtime_flags},
            "include": {
                "model": ["src", "firmware/include", "firmware/kernels"],
                "runtime": ["firmware/include", "firmware/ports"],
            },
            "link": recipe.link_flags,
            "scripts": ["firmware.ld", "firmware/cortex_m/sections.ld"],
            "units": [
                *({"source": file, "flags": "model"} for file in generated),
                *({"source": file, "flags": "runtime"} for file in runtime),
            ],
        }
    )


def board_json(board: Board, target: Target) -> str:
    """Return the manifest of a board for the offline platform."""
    return _json(
        {
            "name": board.title,
            "vendor": board.platformio_platform or "",
            "url": "",
            "build": {
                "mcu": board.mcu.lower(),
                "cpu": board.core.value,
                "f_cpu": f"{board.clock_hz}L",
            },
            "upload": {
                "maximum_size": target.flash.size_bytes,
                "maximum_ram_size": target.ram.size_bytes,
                "protocols": ["custom"],
            },
        }
    )


def _runtime_files(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the hand-written files that an image may include, and the one port that it has."""
    root = data_dir("firmware")
    ports = [folder for folder in sorted((root / "ports").iterdir()) if folder.is_dir()]
    shared = [folder for folder in ports if not any(folder.glob("*.c"))]
    folders = [root / name for name in ("core", "cortex_m", "include", "kernels")]
    for folder in (*folders, *shared, root / "ports" / recipe.target.port):
        for file in sorted(f for f in folder.rglob("*") if f.suffix in (".c", ".h", ".ld")):
            yield _below(root.parent, file), file.read_text(encoding="utf-8")


def _below(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix()


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
