"""What hangs on the desk, who uses it, and what is wrong there.

Looking changes nothing: a board is neither programmed nor reset, and one that somebody uses is left
alone. Its port is opened and HELLO is asked, which our firmware answers and others ignore.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from harness.board.load import load_board
from harness.devices.hardware import baud_of
from harness.devices.probes import ConnectedProbe, connected_probes
from harness.devices.serial_line import SerialConsole, find_port
from harness.errors import DeviceError
from harness.lab.lock import holder, locked
from harness.lab.open import OpenLab
from harness.lab.schema import Place
from harness.telemetry.board_state import BoardState
from harness.telemetry.link import Link, Patience
from harness.telemetry.messages import AskBoard, AskHello, Hello

_HELLO_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a place stands: empty fields are what is not known, ``faults`` what is wrong.

    ``answers`` says whether our firmware answered on the port, None if it was not asked.
    """

    name: str
    board: str
    probe: str = ""
    port: str = ""
    user: str = ""
    answers: bool | None = None
    build_id: str = ""
    model_sha256: str = ""
    core: str = ""
    chip_id: str = ""
    faults: tuple[str, ...] = ()


def stand(lab: OpenLab) -> list[Standing]:
    """Return how each place of a lab stands, in the order of the lab."""
    if lab.users is not None:
        return [_shared(name, place, lab.users[name]) for name, place in lab.places.items()]
    probes, why_not = None, ""
    if not lab.stand_in and any(place.probe for place in lab.places.values()):
        try:
            probes = {probe.uid.lower(): probe for probe in connected_probes()}
        except DeviceError as error:
            why_not = _told(error)
    return [_look(name, place, probes, why_not) for name, place in lab.places.items()]


def _shared(name: str, place: Place, user: str) -> Standing:
    """Return how a place of a shared lab stands: nobody but its user can look at it."""
    probe = (place.probe.uid or "") if place.probe else ""
    port = place.serial.port or ""
    return Standing(name=name, board=place.board, probe=probe, port=port, user=user)


def _look(
    name: str, place: Place, probes: Mapping[str, ConnectedProbe] | None, why_not: str
) -> Standing:
    faults = [why_not] if why_not and place.probe else []
    uid = (place.probe.uid or "") if place.probe else ""
    probe = uid
    if uid and probes is not None:
        if uid.lower() in probes:
            probe = f"{uid} ({probes[uid.lower()].description})"
        else:
            faults.append(f"probe {uid} is not connected")
    port, user, answers, hello, state = "", holder(place), None, None, None
    try:
        port = find_port(place)
        if user is None:
            hello, state = _ask(name, place)
            answers = hello is not None
    except DeviceError as error:
        faults.append(_told(error))
    if place.chip_id and state and state.chip_id and state.chip_id != place.chip_id:
        faults.append(f"its chip is {state.chip_id}, the lab file says {place.chip_id}")
    if state and state.core and state.core != (core := load_board(place.board).core.value):
        faults.append(f"its core is a {state.core}, a {place.board} has a {core}")
    return Standing(
        name=name,
        board=place.board,
        probe=probe,
        port=port,
        user=str(user) if user else "",
        answers=answers,
        build_id=hello.build_id if hello else "",
        model_sha256=hello.model_sha256 if hello else "",
        core=state.core if state else "",
        chip_id=state.chip_id if state else "",
        faults=tuple(faults),
    )


def _ask(name: str, place: Place) -> tuple[Hello | None, BoardState | None]:
    """Return what the firmware on a board says of itself; others say nothing that we know."""
    console = SerialConsole(lambda: find_port(place), baud_of(load_board(place.board), place))
    patience = Patience(hello_s=_HELLO_S, silence_s=_HELLO_S)
    with locked(name, place), contextlib.closing(console):
        link = Link(console, patience, time.monotonic)
        try:
            return link.ask(AskHello()), link.ask(AskBoard())
        except DeviceError:
            return None, None


def _told(error: DeviceError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message
