from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.nightscout.site_address import AddressInvalid, are_public, site_address

REFUSED_TEXTS = [
    "http://ns.example.org",
    "ftp://ns.example.org",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_INFO",
    "javascript:alert(1)",
    "//ns.example.org",
    "ns.example.org",
    "https://",
    "https:///api",
    "https://user@ns.example.org",
    "https://secret@169.254.169.254/",
    "https://ns.example.org@127.0.0.1",
    "https://ns.example.org\\@127.0.0.1",
    "https://ns.example.org/?a=b",
    "https://ns.example.org?",
    "https://ns.example.org/#x",
    "https://ns.example.org:0",
    "https://ns.example.org:",
    "https://ns.example.org:99999",
    "https://ns.example.org:port",
    "https://ns.example.org/a b",
    "https://ns.example.org/a\r\nHost: x",
    "https://ns.example.org/../admin",
    "https://ns.example.org/%2e%2e/admin",
    "https://exa mple.org",
    "https://ns_.example.org",
    "https://[::1",
    "https://☃.example.org",
    "https://ns.example.org/" + "a" * 500,
    "",
]
REFUSED_IPS = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104 - it is refused.
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:53aa:64c:0:0:80ff:fffe",
    "::127.0.0.1",
    "not-an-address",
]


@pytest.mark.parametrize("text", REFUSED_TEXTS)
def test_an_address_of_another_form_is_refused(text: str) -> None:
    """Only https to a host is accepted, with nothing that another parser could read differently."""
    with pytest.raises(AddressInvalid):
        site_address(text, https_only=True)


@pytest.mark.parametrize("ip", REFUSED_IPS)
def test_an_ip_address_that_is_not_public_is_refused(ip: str) -> None:
    """Loopback, private, link-local, reserved and embedded addresses are not called."""
    assert not are_public([ip])


def test_one_private_address_among_public_ones_is_enough() -> None:
    """A host with a public and a private address is refused, and a host without an address too."""
    assert are_public(["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
    assert not are_public(["93.184.215.14", "10.0.0.1"])
    assert not are_public([])


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        (" https://NS.Example.org/ ", "https://ns.example.org"),
        ("HTTPS://ns.example.org:8443", "https://ns.example.org:8443"),
        ("https://example.org/people/one/", "https://example.org/people/one"),
        ("https://[2606:2800:21f:cb07::1]:1337", "https://[2606:2800:21f:cb07::1]:1337"),
    ],
)
def test_an_address_is_stored_in_one_form(typed: str, address: str) -> None:
    """The scheme and the host are in lower case, without a slash at the end."""
    assert site_address(typed, https_only=True) == address


def test_http_is_accepted_for_development_only() -> None:
    """A development machine has no certificate."""
    assert site_address("http://127.0.0.1:5003", https_only=False) == "http://127.0.0.1:5003"
    with pytest.raises(AddressInvalid):
        site_address("ftp://127.0.0.1:5003", https_only=False)


@given(st.text(max_size=60))
def test_no_text_raises_another_error(text: str) -> None:
    """A text is an address that stays the same when it is parsed again, or it is refused."""
    for typed in (text, f"https://{text}", f"https://ns.example.org{text}"):
        try:
            address = site_address(typed, https_only=True)
        except AddressInvalid:
            continue
        assert address.startswith("https://")
        assert site_address(address, https_only=True) == address
        assert "@" not in address


@given(st.ip_addresses(v=4))
def test_an_embedded_address_counts_as_what_it_contains(inner: object) -> None:
    """An IPv4 address that is not public does not become public inside an IPv6 address."""
    assert are_public([f"::ffff:{inner}"]) == are_public([str(inner)])
    assert are_public([f"64:ff9b::{inner}"]) == are_public([str(inner)])
