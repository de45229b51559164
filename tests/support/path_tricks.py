"""Encodings of a path that one component may read as one user's and another as another user's."""

from __future__ import annotations

from urllib.parse import unquote


def of(victim: str, attacker: str) -> list[str]:
    """Path segments with which an attacker might reach another user's data, as they are sent."""
    first, rest = victim[0], victim[1:]
    return [
        # The other user's id, in other cases and other encodings.
        victim,
        victim.upper(),
        victim.title(),
        f"%{ord(first):02x}{rest}",
        f"%25{ord(first):02x}{rest}",
        f"%2525{ord(first):02x}{rest}",
        f"%EF%BD%{ord(first) + 0x20:02X}{rest}",  # Full-width letters, which some decoders normalise.
        # Characters before or after it that a parser may cut off.
        *[
            f"{victim}{end}"
            for end in ("%00", "%20", "+", "%09", "%0a", "%0d%0a", ".", "/", "//", "%2f", "%5c")
        ],
        *[f"{victim}{end}" for end in ("%3fx", "%23x", "%e2%80%8b", "%c0%80", "%ff", ";", f";x={attacker}")],
        *[f"{start}{victim}" for start in ("%20", "%0a", "%00", "//", "./", "%2e/", "..%2f", "%e2%80%8b")],
        f"../../api/bg/{victim}",
        # Both ids, in an order that a parser may read from the other end.
        *[f"{attacker}{between}{victim}" for between in ("/../", "/%2e%2e/", "%2f..%2f", "%2F%2E%2E%2F")],
        *[f"{attacker}{between}{victim}" for between in ("%252f..%252f", "%5c..%5c", ";/../", "/..;/", ",")],
        *[
            f"{attacker}{between}{victim}"
            for between in ("&", "%26", ":", "%3a", "%00", "%0d%0a", "/%2f", "|")
        ],
        # Names that the tables and the template use.
        f"audit%23{victim}",
        "app%23dispatch",
        "{userId}",
        "*",
        "%",
        "%zz",
        "$default",
        "null",
        # Very long ones.
        victim + "a" * 200,
        "a" * 3_000,
        f"{victim}%2f" + "..%2f" * 300 + victim,
    ]


def readings_of(trick: str) -> list[str]:
    """The segment as it is, decoded once and decoded twice, as a gateway may do."""
    return [trick, unquote(trick), unquote(unquote(trick))]
