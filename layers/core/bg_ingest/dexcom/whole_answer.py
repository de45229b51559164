"""An answer is read to its end, within its size and time, or it is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from bg_ingest.dexcom.errors import ContractBroken, Unavailable

if TYPE_CHECKING:
    from bg_ingest.clock import Clock

_LEFT_BEHIND = {
    # They describe the body as it travelled; what is handed on is decoded and whole.
    "content-encoding",
    "content-length",
    "transfer-encoding",
    # httpx.Client would send one person's cookies with the next person's call.
    "set-cookie",
}


def whole(
    response: httpx.Response, what: str, *, clock: Clock, until_s: float, bytes_max: int
) -> httpx.Response:
    """The same answer with its body in memory; raises httpx's errors, and ours for too long or too much."""
    body = bytearray()
    try:
        for piece in response.iter_bytes():
            body += piece
            if len(body) > bytes_max:
                raise ContractBroken(f"{what}: more than {bytes_max} bytes")
            # Each piece came in time, and still there may be no end of them.
            if clock.monotonic_s() > until_s:
                raise Unavailable(f"{what}: the body is too slow")
    finally:
        response.close()
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in _LEFT_BEHIND]
    return httpx.Response(response.status_code, headers=headers, content=bytes(body))


def looks_cut(response: httpx.Response) -> bool:
    """Whether an answer to a GET is no whole JSON text; a glance, the client parses it anyway."""
    if response.status_code != 200:
        return False
    body = response.content.strip()
    return not (body.startswith((b"{", b"[", b"\xef\xbb\xbf")) and body.endswith((b"}", b"]")))
