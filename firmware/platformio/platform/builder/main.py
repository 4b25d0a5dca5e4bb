"""What PlatformIO does to build and upload on the platform ``bench``.

The program itself is built by the project's own ``build.py``.
"""

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
env.Replace(
    CC="arm-none-eabi-gcc",
    SIZETOOL="arm-none-eabi-size",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)

is_built = "nobuild" in COMMAND_LINE_TARGETS
elf = env.subst("$PROGPATH") if is_built else env.BuildProgram()
AlwaysBuild(env.Alias("nobuild", elf))
AlwaysBuild(env.Alias("upload", elf, env.VerboseAction("$UPLOADCMD", "Uploading $SOURCE")))
Default(env.Alias("buildprog", elf))
