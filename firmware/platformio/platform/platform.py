"""A development platform that needs nothing from PlatformIO's registry.

PlatformIO builds with SCons, which it takes from its registry as the package ``tool-scons``. Here
the SCons of the Python that runs PlatformIO is that package, unless one is installed already.
"""

import json
from importlib import metadata
from pathlib import Path

from platformio.dependencies import get_core_dependencies
from platformio.exception import UserSideException
from platformio.package.manager.core import get_core_package_dir
from platformio.package.manager.tool import ToolPackageManager
from platformio.public import PlatformBase

START = "from SCons.Script import main\n\nmain()\n"


class BenchPlatform(PlatformBase):
    """The platform ``bench``: no packages, the compiler of the system."""

    def is_embedded(self):
        """Return that programs are uploaded, not run here."""
        return True

    def configure_default_packages(self, options, targets):
        """Have SCons ready before PlatformIO asks its registry for it."""
        if get_core_package_dir("tool-scons", auto_install=False) is None:
            install_scons()
        return super().configure_default_packages(options, targets)


def install_scons():
    """Make the package ``tool-scons`` of the SCons that Python has, if it is new enough."""
    wanted = get_core_dependencies()["tool-scons"].lstrip("~")
    try:
        found = metadata.version("scons")
    except metadata.PackageNotFoundError:
        found = "0"
    if numbers(found) < numbers(scons_version(wanted)):
        here = "none" if found == "0" else found
        raise UserSideException(
            f"PlatformIO builds with SCons {scons_version(wanted)}, Python has {here}: "
            "pip install scons, or connect to the network once"
        )
    package = Path(ToolPackageManager().package_dir) / "tool-scons"
    package.mkdir(parents=True, exist_ok=True)
    manifest = {"name": "tool-scons", "version": wanted}
    spec = {"owner": "platformio", "id": None, "name": "tool-scons", "requirements": None}
    about = {"type": "tool", **manifest, "spec": {**spec, "uri": None}}
    (package / "scons.py").write_text(START)
    (package / "package.json").write_text(json.dumps(manifest))
    (package / ".piopm").write_text(json.dumps(about))


def scons_version(package_version):
    """Return which SCons a package has: 4.41101.0 has 4.11.1."""
    middle = package_version.split(".")[1]
    return f"{middle[:-4]}.{int(middle[-4:-2])}.{int(middle[-2:])}"


def numbers(version):
    """Return a version as something to compare."""
    return [int(part) for part in version.split(".") if part.isdigit()]
