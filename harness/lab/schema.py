"""The facts of a desk: which board hangs on which probe and which serial port.

A lab file is the user's own and never part of a project: serial numbers and ports differ from desk
to desk. ``boards/*.yaml`` says what a product is, ``lab.yaml`` where one of them is::

    schema_version: 1
    name: my desk
    places:
      left:
        board: nucleo-f746zg
        probe:
          uid: "066BFF343633464257205426"

A place is one board. An ST-LINK's USB serial number names its probe and its serial port alike, so
``serial`` is only needed where they differ.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.board.load import board_names
from harness.errors import near_names
from harness.facts import Facts

_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Uid = Annotated[str, Field(min_length=4, max_length=200, pattern=r"^[^\s*?]+$")]
_PlaceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,39}$")]


class Probe(Facts):
    """What programs the board. ``pack`` is a CMSIS-Pack for a chip that pyOCD does not know."""

    uid: _Uid | None = Field(
        default=None, description="serial number, as `pyocd list` shows it; in quotes"
    )
    frequency_hz: Annotated[int, Field(ge=1_000, le=50_000_000)] = 4_000_000
    pack: Path | None = Field(default=None, description="beside the lab file unless absolute")
    target: _Text | None = Field(
        default=None, description="pyOCD's name of the chip, where the board's file has another"
    )
    connect: Literal["under-reset", "attach"] | None = Field(
        default=None, description="as the board's file says unless given, mostly under-reset"
    )


class Serial(Facts):
    """Which port is the board's console: by USB serial number, which outlives a re-plug, or path.

    ``port`` may also be an address that pyserial understands, as in ``rfc2217://host:4000``.
    """

    usb_serial: _Uid | None = None
    port: _Text | None = None
    baud: Annotated[int, Field(ge=300, le=12_000_000)] | None = Field(
        default=None, description="the firmware's own unless given"
    )

    @model_validator(mode="after")
    def _name_one(self) -> Self:
        if self.usb_serial is not None and self.port is not None:
            raise ValueError("usb_serial and port both name the port; give one")
        return self


class Place(Facts):
    """One board on the desk. ``chip_id`` is what its firmware must say of itself, if given."""

    board: _Text
    probe: Probe | None = None
    serial: Serial = Serial()
    chip_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16,24}$")] | None = None

    @field_validator("board")
    @classmethod
    def _know_the_board(cls, board: str) -> str:
        if Path(board).suffix not in (".yaml", ".yml") and board not in board_names():
            near = near_names(board, board_names()).rstrip(".")
            raise ValueError(f"there is no board of this name; {near}")
        return board

    @model_validator(mode="after")
    def _be_found(self) -> Self:
        if self.usb_serial is None and self.serial.port is None:
            raise ValueError("serial needs usb_serial or port where the probe has no uid")
        return self

    @property
    def usb_serial(self) -> str | None:
        """The USB serial number of the port; a probe with a port of its own has one for both."""
        if self.serial.port is not None:
            return None
        return self.serial.usb_serial or (self.probe.uid if self.probe else None)


class Lab(Facts):
    """All places of a desk, by name."""

    schema_version: Literal[1]
    name: _Text
    places: dict[_PlaceName, Place]

    @field_validator("places")
    @classmethod
    def _are_apart(cls, places: dict[str, Place]) -> dict[str, Place]:
        owners: dict[tuple[str, str], str] = {}
        for name, place in places.items():
            probe = place.probe.uid if place.probe else None
            for what, value in (
                ("probe", probe),
                ("serial port", place.serial.port or place.usb_serial),
            ):
                if value is None:
                    continue
                other = owners.setdefault((what, value), name)
                if other != name:
                    raise ValueError(f"{other} and {name} have the same {what}, {value}")
        return places


def json_schema() -> str:
    """Return the JSON schema of a lab file; ``docs/lab.schema.json`` holds it for editors."""
    return json.dumps(Lab.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
