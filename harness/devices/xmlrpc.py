"""A Robot Framework remote server: keywords run through XML-RPC, each in bounded time.

Source: Robot Framework User Guide, "Remote library interface": ``run_keyword(name, arguments)``
answers a map with ``status`` (PASS or FAIL), ``return`` and ``error``.
"""

from __future__ import annotations

import http.client
import xml.parsers.expat
import xmlrpc.client
from typing import Any

from harness.errors import DeviceError, NoAnswerError

_PROBE_S = 2.0


class _Transport(xmlrpc.client.Transport):
    """Gives up on a server that does not answer."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """Return a connection with a deadline on each wait."""
        connection = super().make_connection(host)
        connection.timeout = self._timeout_s
        return connection


_UNSOUND = (xmlrpc.client.Error, xml.parsers.expat.ExpatError, ValueError, TypeError)
_LOST = (OSError, http.client.HTTPException)


class KeywordServer:
    """The server at a URL; errors name Renode, the only one that we talk to."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url, self._timeout_s = url, timeout_s

    def answers(self) -> bool:
        """Whether the server is there yet."""
        try:
            with self._proxy(_PROBE_S) as proxy:
                proxy.get_keyword_names()
        except (*_LOST, *_UNSOUND):
            return False
        return True

    def command(self, text: str) -> str:
        """Execute a command of Renode's monitor and return what it printed.

        Raises:
            DeviceError: the command failed, or Renode is gone.
            NoAnswerError: it did not end in time.
        """
        return self.keyword("ExecuteCommand", text)

    def keyword(self, name: str, *arguments: str) -> str:
        """Run a keyword and return its result; raises as :meth:`command`."""
        what = " ".join((name, *arguments)).removeprefix("ExecuteCommand ")
        try:
            with self._proxy(self._timeout_s) as proxy:
                answer = proxy.run_keyword(name, list(arguments))
        except TimeoutError:
            raise NoAnswerError(f"Renode: no answer to `{what}` in {self._timeout_s:g} s") from None
        except _LOST as error:
            raise DeviceError(f"Renode went away at `{what}`: {error}") from None
        except _UNSOUND as error:
            raise DeviceError(f"Renode answered `{what}` with nonsense: {error}") from None
        if not isinstance(answer, dict) or "status" not in answer:
            raise DeviceError(f"Renode answered `{what}` with nonsense: {str(answer)[:80]}")
        if answer["status"] != "PASS":
            raise DeviceError(f"Renode: `{what}` failed: {_first_line(answer.get('error'))}")
        return str(answer.get("return") or "")

    def stop(self) -> None:
        """Ask the server to end; one that is gone already has."""
        try:
            with self._proxy(_PROBE_S) as proxy:
                proxy.run_keyword("StopRemoteServer", [])
        except (*_LOST, *_UNSOUND):
            pass

    def _proxy(self, timeout_s: float) -> xmlrpc.client.ServerProxy:
        transport = _Transport(timeout_s)
        return xmlrpc.client.ServerProxy(self._url, transport=transport, allow_none=True)


def _first_line(error: object) -> str:
    lines = str(error or "no reason given").strip().splitlines()
    return lines[0] if lines else "no reason given"
