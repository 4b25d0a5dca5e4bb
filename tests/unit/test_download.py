"""A download ends: with the bytes, or in time with a reason."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from harness.models.download import fetch_url


class Server(http.server.BaseHTTPRequestHandler):
    """Answers ``/file``; says nothing at ``/mute``; stops halfway at ``/stall``."""

    enough = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/mute":
            self.enough.wait(10)
        elif self.path == "/missing":
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"01234")
            if self.path == "/stall":
                self.enough.wait(10)
            if self.path == "/file":
                self.wfile.write(b"56789")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    Server.enough.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        Server.enough.set()
        server.shutdown()
        thread.join()


def test_bytes_arrive_up_to_the_limit(address: str) -> None:
    assert fetch_url(f"{address}/file", 100) == b"0123456789"
    assert fetch_url(f"{address}/file", 3) == b"012"


def test_a_server_that_says_nothing(address: str) -> None:
    with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
        fetch_url(f"{address}/mute", 100, connect_timeout_s=0.2)


def test_a_server_that_stops_halfway(address: str) -> None:
    with pytest.raises(TimeoutError, match=r"not complete within 0\.2 s|timed out"):
        fetch_url(f"{address}/stall", 100, timeout_s=0.2)


def test_a_server_that_hangs_up(address: str) -> None:
    with pytest.raises(OSError, match="ended 5 B too early"):
        fetch_url(f"{address}/short", 100)


def test_a_missing_file(address: str) -> None:
    with pytest.raises(OSError, match="HTTP 404 Not Found"):
        fetch_url(f"{address}/missing", 100)
