"""Download a file, with every wait and every size bounded.

The work is done in a thread that is left behind when time is up: neither looking up a name nor
trying one address after the other can be given a deadline otherwise.
"""

from __future__ import annotations

import http.client
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Callable

CONNECT_TIMEOUT_S = 5.0
DOWNLOAD_TIMEOUT_S = 60.0

Fetch = Callable[[str, int], bytes]
"""Returns what an address holds, at most so many bytes; raises OSError when that fails."""


def fetch_url(
    url: str,
    limit: int,
    *,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    timeout_s: float = DOWNLOAD_TIMEOUT_S,
) -> bytes:
    """Return at most ``limit`` bytes of an address.

    Raises:
        OSError: no answer within the first time-out, not all bytes within the second, or refused.
    """
    events: queue.SimpleQueue[bytes | OSError | None] = queue.SimpleQueue()
    work = threading.Thread(target=_download, args=(url, limit, timeout_s, events), daemon=True)
    work.start()
    try:
        event = events.get(timeout=connect_timeout_s)
    except queue.Empty:
        raise TimeoutError(f"no answer within {connect_timeout_s:g} s") from None
    if event is None:
        try:
            event = events.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError(f"not complete within {timeout_s:g} s") from None
    if isinstance(event, OSError):
        raise event
    assert event is not None
    return event


def _download(
    url: str, limit: int, timeout_s: float, events: queue.SimpleQueue[bytes | OSError | None]
) -> None:
    """Put None when the server answers, then what it sends or what went wrong."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as response:
            events.put(None)
            data = response.read(limit)
            missing = min(response.length or 0, limit - len(data))
            events.put(data if not missing else OSError(f"ended {missing:,} B too early"))
    except urllib.error.HTTPError as error:
        error.close()
        events.put(OSError(f"HTTP {error.code} {error.reason}"))
    except http.client.HTTPException as error:
        events.put(OSError(f"{type(error).__name__}: {error}"))
    except OSError as error:
        events.put(error)
