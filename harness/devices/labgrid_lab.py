"""A lab behind a labgrid coordinator: its places, taken for us and given back.

labgrid (https://labgrid.readthedocs.io) hands out boards between people: an exporter at the board
offers its serial port on the network, a coordinator says who has which place. A place is ours for
as long as a context lasts, unless its user had acquired it before: then it stays the user's.

Which board a place has is its tag ``board``, or else its own name. labgrid offers no probe to
others, so a board is programmed through pyOCD's own server (``pyocd server``), whose address the
tag ``probe`` gives as ``remote:HOST:PORT``, or it has its image already (``--flash none``). The
tags ``pack``, ``target`` and ``chip_id`` are what they are in a lab file.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceNotFoundError,
    NoAnswerError,
)
from harness.lab.labgrid_address import Address
from harness.lab.open import OpenLab, find_place
from harness.lab.schema import Place, Probe, Serial

ANSWER_S = 10.0
"""For each request, and for the exporter to start the port's server."""

_PROBE_TAGS = {"probe": "uid", "pack": "pack", "target": "target"}
"""Tags of a place, and what of :class:`~harness.lab.schema.Probe` they say."""

_SERIAL = "NetworkSerialPort"
# As labgrid's own driver opens it: ser2net does not acknowledge lines that a port does not have.
_URLS = {
    "rfc2217": "rfc2217://{host}:{port}?ign_set_control&timeout=5",
    "raw": "socket://{host}:{port}",
}


@contextlib.contextmanager
def open_labgrid(
    address: Address,
    *,
    board: str | None,
    place: str | None = None,
    needs_probe: bool = True,
    answer_s: float = ANSWER_S,
) -> Iterator[OpenLab]:
    """Yield the lab of a coordinator; the one place that has or is ``board`` is acquired meanwhile.

    Without a board nothing is acquired, and ports say who exports them.

    Raises:
        DeviceNotFoundError: the coordinator is not there, or has no such place.
        DeviceBusyError: somebody else has the place.
        NoAnswerError: the port of the place does not appear in time.
    """
    with _connected(address, answer_s) as session:
        lab = session.lab(address)
        if board is None:
            yield lab
            return
        named = lab.places.get(board) if place is None else None
        name, facts = (board, named) if named else find_place(lab, board, place)
        if needs_probe and facts.probe is None:
            raise DeviceNotFoundError(
                f"{name}: labgrid offers its serial port, but no probe to program it",
                hint="run `pyocd server` there and set the place's tag probe=remote:HOST:PORT; or "
                "program it at its desk (`bench flash`), then use --flash none here",
            )
        with session.acquired(name):
            yield session.lab(address, ready=name)


@dataclass(slots=True)
class _Session:
    """A connection to a coordinator, and what it said of places and resources so far."""

    stub: Any
    messages: Any
    answer_s: float
    requests: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    places: dict[str, Any] = field(default_factory=dict)
    resources: dict[tuple[str, str, str, str], Any] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    synced: bool = False

    def follow(self, updates: Any) -> None:
        """Take in all that the coordinator tells, until the stream ends."""
        import grpc

        with contextlib.suppress(grpc.RpcError):
            for message in updates:
                with self.changed:
                    for update in message.updates:
                        self._take(update)
                    self.synced = self.synced or message.HasField("sync")
                    self.changed.notify_all()

    def _take(self, update: Any) -> None:
        from labgrid.remote.common import Place as LabgridPlace

        match update.WhichOneof("kind"):
            case "place":
                self.places[update.place.name] = LabgridPlace.from_pb2(update.place)
            case "del_place":
                self.places.pop(update.del_place, None)
            case "resource":
                path = update.resource.path
                self.resources[_key(path, update.resource.cls)] = update.resource
            case "del_resource":
                path = update.del_resource
                for key in [k for k in self.resources if k == _key(path, k[2])]:
                    del self.resources[key]

    def lab(self, address: Address, *, ready: str | None = None) -> OpenLab:
        """Return the places as a lab; the port of the one that is ``ready`` can be opened."""
        with self.changed:
            names = sorted(name for name in self.places if self._ports(name))
        places = {name: self._place(name, is_ready=name == ready) for name in names}
        detail = f"labgrid coordinator {address}"
        if address.simulated:
            detail += ", simulated boards"
        known = {name: place for name, place in places.items() if place is not None}
        return OpenLab(
            name=f"labgrid at {address}",
            places=known,
            users={name: self.places[name].acquired or "" for name in known},
            stand_in=address.simulated,
            detail=detail,
        )

    @contextlib.contextmanager
    def acquired(self, name: str) -> Iterator[None]:
        """Have a place while the block runs; one that this user has already stays the user's."""
        if self.places[name].acquired == _user():
            yield
            return
        self._acquire(name)
        try:
            yield
        finally:
            self._release(name)

    def _acquire(self, name: str) -> None:
        import grpc

        request = self.messages.AcquirePlaceRequest(placename=name)
        try:
            self.stub.AcquirePlace(request, timeout=self.answer_s)
        except grpc.RpcError as error:
            holder = self.places[name].acquired
            if holder:
                raise DeviceBusyError(
                    f"{name}: {holder} has this place",
                    hint=f"wait, or ask them for `labgrid-client -p {name} release`",
                ) from None
            if error.code() is grpc.StatusCode.PERMISSION_DENIED:
                raise DeviceBusyError(
                    f"{name}: {error.details()}", hint="`labgrid-client reservations` shows by whom"
                ) from None
            raise DeviceError(f"{name}: cannot be acquired: {error.details()}") from None

    def _release(self, name: str) -> None:
        import grpc

        request = self.messages.ReleasePlaceRequest(placename=name, fromuser=_user())
        # Whatever went wrong in the block is worse than a coordinator that is gone by now.
        with contextlib.suppress(grpc.RpcError):
            self.stub.ReleasePlace(request, timeout=self.answer_s)

    def _ports(self, name: str) -> list[tuple[str, str, str, str]]:
        place = self.places[name]
        return [key for key in self.resources if key[2] == _SERIAL and place.hasmatch(key)]

    def _place(self, name: str, *, is_ready: bool) -> Place | None:
        """Return the facts of a place, None if it has no board that we know."""
        tags = self.places[name].tags
        port = self._wait_for_port(name) if is_ready else "/".join(self._ports(name)[0])
        probe = {key: tags[tag] for tag, key in _PROBE_TAGS.items() if tag in tags}
        try:
            return Place(
                board=tags.get("board", name),
                probe=Probe.model_validate(probe) if "uid" in probe else None,
                serial=Serial(port=port),
                chip_id=tags.get("chip_id"),
            )
        except ValueError:
            return None

    def _wait_for_port(self, name: str) -> str:
        """Return the address of a place's port once its exporter serves it."""
        ports = self._ports(name)
        if len(ports) > 1:
            raise DeviceNotFoundError(
                f"{name}: several serial ports match: {', '.join('/'.join(p) for p in ports)}",
                hint="leave one in the matches of the place: `labgrid-client del-match`",
            )
        ends = time.monotonic() + self.answer_s
        if self.resources[ports[0]].extra["proxy_required"].bool_value:
            raise DeviceNotFoundError(
                f"{name}: its exporter is isolated and offers ports only through SSH",
                hint="start it without --isolated, or run bench on its computer",
            )
        with self.changed:
            while True:
                resource = self.resources.get(ports[0])
                if resource is not None and resource.avail and (url := _url(resource)):
                    return url
                left = ends - time.monotonic()
                if left <= 0:
                    raise _no_port(name, resource, self.answer_s)
                self.changed.wait(left)


@contextlib.contextmanager
def _connected(address: Address, answer_s: float) -> Iterator[_Session]:
    grpc, messages, stubs, version = _labgrid()
    with contextlib.closing(grpc.insecure_channel(str(address))) as channel:
        session = _Session(stubs.CoordinatorStub(channel), messages, answer_s)
        hello = messages.ClientInMessage()
        hello.startup.version, hello.startup.name = version, _user()
        subscribe = (messages.ClientInMessage(), messages.ClientInMessage())
        subscribe[0].subscribe.all_places = True
        subscribe[1].subscribe.all_resources = True
        sync = messages.ClientInMessage()
        sync.sync.id = 1
        for message in (hello, *subscribe, sync):
            session.requests.put(message)
        updates = session.stub.ClientStream(iter(session.requests.get, None))
        reader = threading.Thread(target=session.follow, args=(updates,), daemon=True)
        reader.start()
        try:
            with session.changed:
                if not session.changed.wait_for(lambda: session.synced, answer_s):
                    raise NoAnswerError(
                        f"labgrid: no coordinator answers at {address} within {answer_s:g} s",
                        hint="is labgrid-coordinator running there?",
                    )
            yield session
        finally:
            session.requests.put(None)
            updates.cancel()
            reader.join(answer_s)


def _labgrid() -> tuple[Any, Any, Any, str]:
    try:
        import grpc
        from labgrid.remote.generated import (
            labgrid_coordinator_pb2,
            labgrid_coordinator_pb2_grpc,
        )
        from labgrid.util import labgrid_version
    except ImportError:
        raise DeviceNotFoundError(
            "labgrid is not installed", hint="pip install 'bench-tinyml[labgrid]'"
        ) from None
    return grpc, labgrid_coordinator_pb2, labgrid_coordinator_pb2_grpc, labgrid_version()


def _key(path: Any, cls: str) -> tuple[str, str, str, str]:
    return path.exporter_name, path.group_name, cls, path.resource_name


def _user() -> str:
    """Return who we are to labgrid: as its own client says it."""
    host = os.environ.get("LG_HOSTNAME", socket.gethostname())
    return f"{host}/{os.environ.get('LG_USERNAME', getpass.getuser())}"


def _url(resource: Any) -> str | None:
    """Return what pyserial opens, None while nobody serves the port."""
    params, port = resource.params, resource.params["port"]
    number = port.uint_value or port.int_value
    form = _URLS.get(params["protocol"].string_value or "rfc2217")
    if not number or form is None:
        return None
    return form.format(host=params["host"].string_value, port=number)


def _no_port(name: str, resource: Any, waited_s: float) -> NoAnswerError:
    broken = resource.extra["broken"].string_value if resource is not None else "it is gone"
    why = f": {broken}" if broken else ""
    return NoAnswerError(
        f"{name}: its exporter serves no serial port after {waited_s:g} s{why}",
        hint="the exporter needs ser2net, and the board must be plugged in there",
    )
