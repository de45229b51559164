"""The address of a user's own server: its form, and which hosts this service may call."""

# Any user can type an address here, and this service calls it from inside its own network. Three rules keep
# such a call away from internal servers (server-side request forgery):
#
# Rule 1: Outside development the address starts with https:// and names a host, optionally with a port and a
#         path. It has no credentials, query or fragment.
# Rule 2: All IP addresses of the host are public when the call is made, not only when the user logs in.
# Rule 3: The call goes to the IP address that was checked (pinned_transport.py), and follows no redirect.

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from urllib.parse import SplitResult

ADDRESS_CHARS_MAX = 500
# Letters, digits, dots, hyphens, colons and brackets: a name as DNS has it, or an IP address.
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|[0-9A-Fa-f:.]{2,45}", re.ASCII)
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*", re.ASCII)
# Prefixes whose last 32 bits, or the 32 bits after them, are an IPv4 address that the packet ends at.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SITE_LOCAL = ipaddress.IPv6Network("fec0::/10")
_RELAYS = ipaddress.IPv4Network("192.88.99.0/24")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressInvalid(ValueError):
    """This is not the address of a server that may be called."""


def site_address(typed: str, *, https_only: bool) -> str:
    """The base URL of a server, without a slash at its end; raises AddressInvalid."""
    text = typed.strip()
    if len(text) > ADDRESS_CHARS_MAX or not text.isascii() or not text.isprintable() or " " in text:
        raise AddressInvalid
    parts = _split(text)
    scheme, host, path = parts.scheme.lower(), parts.hostname, parts.path.rstrip("/")
    if scheme != "https" and (https_only or scheme != "http"):
        raise AddressInvalid
    has_more = parts.query or parts.fragment or "@" in parts.netloc or text.endswith(("?", "#"))
    if host is None or has_more or not _HOST.fullmatch(host) or not _PATH.fullmatch(path) or ".." in path:
        raise AddressInvalid
    port = _port(parts)
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}{'' if port is None else f':{port}'}{path}"


def are_public(addresses: Iterable[str]) -> bool:
    """Whether there is an address, and all of them are public."""
    found = [_parsed(text) for text in addresses]
    return bool(found) and all(address is not None and _is_public(address) for address in found)


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:  # Such as an unfinished bracket.
        raise AddressInvalid from None


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        raise AddressInvalid from None
    if port == 0 or (port is None and parts.netloc.endswith(":")):
        raise AddressInvalid
    return port


def _parsed(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    inner = _embedded(address) if isinstance(address, ipaddress.IPv6Address) else None
    if inner is not None:
        return _is_public(inner)
    if address in _SITE_LOCAL or address in _RELAYS:
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_loopback or address.is_link_local
    )


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a packet to this address ends at, if there is one."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour
