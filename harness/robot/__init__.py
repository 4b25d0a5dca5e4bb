"""Keywords for Robot Framework: :class:`harness.robot.BenchLibrary`."""

from harness.robot.library import BenchLibrary

__all__ = ["BenchLibrary"]
