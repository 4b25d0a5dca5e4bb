"""Where a labgrid coordinator is, as ``--lab`` names it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from harness.errors import UsageError

SCHEME = "labgrid"
PORT = 20408
"""labgrid's own default."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a coordinator is; ``simulated`` if its boards are simulated ones."""

    host: str
    port: int
    simulated: bool

    def __str__(self) -> str:
        """Say it as labgrid's tools take it."""
        return f"{self.host}:{self.port}"


def parse_address(lab: str) -> Address | None:
    """Return the coordinator that ``labgrid://HOST:PORT`` names, None for another kind of lab.

    Raises:
        UsageError: it is no address.
    """
    parts = urlsplit(lab)
    if parts.scheme != SCHEME:
        return None
    options = parse_qs(parts.query, keep_blank_values=True)
    simulated = options.pop("simulated", ["no"])
    try:
        port = parts.port or PORT
    except ValueError:
        port = 0
    if not parts.hostname or not port or options or simulated not in (["yes"], ["no"]):
        raise UsageError(
            f"--lab {lab} is no address of a labgrid coordinator",
            hint=f"as in labgrid://host:{PORT}; ?simulated=yes if its boards are simulated",
        )
    return Address(parts.hostname, port, simulated == ["yes"])
