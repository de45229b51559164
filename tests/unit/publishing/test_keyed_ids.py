"""Event ids that only this deployment can compute."""

from __future__ import annotations

import re

from bg_ingest.publishing.events import hash_id
from bg_ingest.publishing.keyed_ids import keyed_id

GUESS = f"{hash_id('bg.connection.changed', 'ada', 7, 'connected')}-1"


def test_an_id_does_not_confirm_a_guessed_user() -> None:
    """A party that knows how ids are made and guesses every part cannot compute the id without the key."""
    published = keyed_id(b"secret of the deployment", GUESS)

    assert re.fullmatch(r"[0-9a-f]{32}-1", published)
    assert published != GUESS
    assert published != keyed_id(b"another key", GUESS)


def test_the_same_event_has_the_same_keyed_id() -> None:
    """A redelivery is recognised, and two parts of one change differ."""
    assert keyed_id(b"key", GUESS) == keyed_id(b"key", GUESS)
    assert keyed_id(b"key", "a-1") != keyed_id(b"key", "a-2")
