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
    """Make the package ``tool-scons`` of the SCons that Python has."""
    wanted = get_core_dependencies()["tool-scons"].lstrip("~")
    try:
        found = metadata.version("scons")
    except metadata.PackageNotFoundError:
        found = "none"
    if package_version(found).split(".")[:2] != wanted.split(".")[:2]:
        raise UserSideException(
            f"PlatformIO wants SCons as its package tool-scons {wanted}, Python has {found}: "
            "pip install a SCons of that version, or connect to the network once"
        )
    package = Path(ToolPackageManager().package_dir) / "tool-scons"
    package.mkdir(parents=True, exist_ok=True)
    version = package_version(found)
    manifest = {"name": "tool-scons", "version": version}
    spec = {"owner": "platformio", "id": None, "name": "tool-scons", "requirements": None}
    about = {"type": "tool", **manifest, "spec": {**spec, "uri": None}}
    (package / "scons.py").write_text(START)
    (package / "package.json").write_text(json.dumps(manifest))
    (package / ".piopm").write_text(json.dumps(about))


def package_version(version):
    """Return how PlatformIO numbers a SCons: 4.11.1 is 4.41101.0."""
    major, minor, patch = ([int(part) for part in version.split(".") if part.isdigit()] + [0] * 3)[
        :3
    ]
    return f"{major}.{major}{minor:02d}{patch:02d}.0"
