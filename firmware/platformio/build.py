"""Builds the firmware of this project in place of PlatformIO's own rules.

PlatformIO's rules would add flags and libraries of the platform. Here each file is compiled with
the flags of ``build.json`` and linked in its order, so that the image is the same to the byte as
the one that bench builds itself. With another compiler it is another image, so it gets another
build id.
"""

import hashlib
import json
import subprocess
from pathlib import Path

from SCons.Script import DefaultEnvironment

PROJECT = Path(DefaultEnvironment().subst("$PROJECT_DIR"))
SIZES = {
    "SIZEPROGREGEXP": r"^(?:\.vectors|\.bench_identity|\.text|\.ARM\.exidx|\.weights|\.rodata"
    r"|\.data)\s+(\d+).*",
    "SIZEDATAREGEXP": r"^(?:\.stack|\.data|\.arena|\.bss)\s+(\d+).*",
}


def build_program(env):
    """Return the linked image, in place of PlatformIO's BuildProgram."""
    recipe = json.loads((PROJECT / "build.json").read_text())
    env.Replace(**SIZES)
    version = compiler_version(env)
    same = version == recipe["compiler"]
    if not same:
        print(f"This is {version}, not {recipe['compiler']}: another image, another build id")
    own = env.Clone(
        CPPDEFINES=[], CPPPATH=[], CFLAGS=[], CCFLAGS=[], LINKFLAGS=[], LIBS=[], LIBPATH=[]
    )
    objects = []
    for unit in recipe["units"]:
        source = PROJECT / unit["source"]
        if source.name == "identity.c" and not same:
            source = renamed(env, source, recipe["build_id"], version)
        objects += own.Object(
            target=f"$BUILD_DIR/{unit['source']}.o",
            source=str(source),
            # Another compiler warns of other things.
            CCFLAGS=[f for f in recipe["flags"][unit["flags"]] if same or f != "-Werror"],
            CPPPATH=[str(PROJECT / folder) for folder in recipe["include"][unit["flags"]]],
        )
    scripts = [PROJECT / script for script in recipe["scripts"]]
    flags = [*recipe["link"], "-T", str(scripts[0]), *(f"-L{s.parent}" for s in scripts[1:])]
    elf = own.Program(env.subst("$PROGPATH"), objects, LINKFLAGS=flags)
    own.Depends(elf, [str(script) for script in scripts])
    env.Replace(PIOMAINPROG=elf)
    check = env.VerboseAction(env.CheckUploadSize, "Checking size $PIOMAINPROG")
    env.AlwaysBuild(env.Alias("checkprogsize", elf, check))
    return elf


def compiler_version(env):
    """Return the first line that the compiler says of itself."""
    try:
        said = subprocess.run(
            [env.subst("$CC"), "--version"],
            env={**env["ENV"], "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise SystemExit(f"error: {env.subst('$CC')} does not run: {error}") from None
    return said.partition("\n")[0]


def renamed(env, source, build_id, version):
    """Return a copy of identity.c with a build id that has this compiler in it."""
    changed = hashlib.sha256(f"{build_id} {version}".encode()).hexdigest()[:16]
    copy = Path(env.subst("$BUILD_DIR")) / "identity.c"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(source.read_text().replace(octets(build_id), octets(changed)))
    return copy


def octets(digits):
    """Return hexadecimal digits as identity.c has them."""
    return ", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(digits))


DefaultEnvironment().AddMethod(build_program, "BuildProgram")
