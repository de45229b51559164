"""The certificates of the layer."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import certifi
import pytest

from layers.core.amazon_roots import ROOTS, roots


def test_the_roots_are_those_of_amazon() -> None:
    """Five certificates that TLS accepts, from the bundle in the layer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=roots(Path(certifi.where()).read_text()))
    subjects: list[Any] = [certificate["subject"] for certificate in context.get_ca_certs()]
    names = {value for subject in subjects for ((name, value),) in subject if name == "commonName"}

    assert names == set(ROOTS)


def test_a_bundle_without_a_root_is_an_error() -> None:
    """The build fails instead of making a layer that cannot connect."""
    with pytest.raises(ValueError, match="0 of 5"):
        roots("# Issuer: CN=Another O=Another\n-----BEGIN CERTIFICATE-----\n")
