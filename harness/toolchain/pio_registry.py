"""Whether PlatformIO's registry can be reached, asked before PlatformIO finds out.

It tries each mirror six times with growing pauses, which takes a minute without a network.
Source: platformio 6.2, ``http.py`` (HTTPSessionIterator) and ``__registry_mirror_hosts__``.
"""

from __future__ import annotations

import ssl
import time
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

MIRRORS = ("registry.platformio.org", "registry.nm1.platformio.org")
REACH_S = 6.0


def is_registry_reachable(timeout_s: float = REACH_S) -> bool:
    """Return whether a mirror answers in time, through a proxy if the environment names one."""
    answers: SimpleQueue[bool] = SimpleQueue()

    def ask(host: str) -> None:
        answers.put(_answers(host, timeout_s))

    # Looking up a name cannot be given a limit, so it is left behind.
    for host in MIRRORS:
        Thread(target=ask, args=(host,), daemon=True).start()
    end_s = time.monotonic() + timeout_s
    try:
        return any(answers.get(timeout=max(0.0, end_s - time.monotonic())) for _ in MIRRORS)
    except Empty:
        return False


def _answers(host: str, timeout_s: float) -> bool:
    try:
        with urlopen(Request(f"https://{host}", method="HEAD"), timeout=timeout_s):
            return True
    except HTTPError:
        return True
    except URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # somebody is there; PlatformIO may trust him
    except OSError:
        return False
