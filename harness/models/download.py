"""Download a file over HTTPS, with every wait and every size bounded."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable

CONNECT_TIMEOUT_S = 5.0
DOWNLOAD_TIMEOUT_S = 60.0
_CHUNK_BYTES = 1 << 16

Fetch = Callable[[str, int], bytes]
"""Returns what an address holds, at most so many bytes; raises OSError when that fails."""


def fetch_https(url: str, limit: int) -> bytes:
    """Return at most ``limit`` bytes of an HTTPS address.

    Raises:
        OSError: no connection within 5 s, not all bytes within 60 s, or an HTTP error.
    """
    deadline = time.monotonic() + DOWNLOAD_TIMEOUT_S
    chunks: list[bytes] = []
    try:
        with urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT_S) as response:
            while limit > 0 and (chunk := response.read1(min(_CHUNK_BYTES, limit))):
                chunks.append(chunk)
                limit -= len(chunk)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"took longer than {DOWNLOAD_TIMEOUT_S:.0f} s")
    except http.client.HTTPException as error:
        raise urllib.error.URLError(f"{type(error).__name__}: {error}") from error
    return b"".join(chunks)
