"""The sentence of a person with several sources."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.facades.page.flow_of_sources import best_first, sentence_of_sources
from bg_ingest.facades.page.flow_sentence import FlowStatus, flow_sentence, flow_status
from tests.unit.facades.page.test_flow_sentence import CONNECTED, FACTS, MINUTE, NOW, WORDING, situations

if TYPE_CHECKING:
    from bg_ingest.facades.page.flow_sentence import FlowSentence, Situation

NIGHTSCOUT = replace(
    CONNECTED,
    provider="Nightscout",
    own_server=True,
    newest_at=NOW - 3 * MINUTE,
    provider_delay=MINUTE,
    syncs=replace(FACTS, look_every=5 * MINUTE, next_look_at=NOW + 2 * MINUTE),
)
REFUSED = replace(CONNECTED, connection=ConnectionState.NEEDS_REAUTH)
STOPPED = replace(CONNECTED, connection=ConnectionState.DISCONNECTED)
NEVER = replace(STOPPED, syncs=None, newest_at=None)


def _sentence(*sources: Situation) -> FlowSentence:
    return sentence_of_sources(sources, NOW - 3 * MINUTE, WORDING)


def test_both_sources_flow() -> None:
    """The newest reading of any source, and how late each hands readings over."""
    assert str(_sentence(CONNECTED, NIGHTSCOUT)) == (
        "Flowing. Newest 15:28, 3 minutes old. Nightscout hands readings over in time. Next look 15:33."
        " Dexcom hands readings over about 60 minutes late. Next look 15:36."
    )


def test_one_flows_and_the_other_must_be_connected_again() -> None:
    """The headline names the one that flows, and the sentence what the other one needs."""
    sentence = _sentence(REFUSED, NIGHTSCOUT)

    assert sentence.status is FlowStatus.FLOWING
    assert sentence.headline == "Flowing from your Nightscout"
    assert "Dexcom needs you to connect again: it no longer accepts our access." in sentence.text


def test_the_own_server_fails() -> None:
    """Dexcom flows; the server cannot be reached."""
    assert NIGHTSCOUT.syncs
    failing = replace(NIGHTSCOUT, syncs=replace(NIGHTSCOUT.syncs, last_error="Unavailable"))
    sentence = _sentence(CONNECTED, failing)

    assert sentence.headline == "Flowing from Dexcom"
    assert "Nightscout gives us nothing since 15:29: it cannot be reached." in sentence.text


def test_other_account_of_one_source_is_named() -> None:
    """The login of the second source was with another account."""
    other = replace(CONNECTED, syncs=replace(FACTS, last_error="account-changed"))

    assert "Dexcom needs you to connect again, with the account used before." in str(
        _sentence(other, NIGHTSCOUT)
    )


def test_a_first_history_beside_a_flowing_source() -> None:
    """A second source that was connected just now is on its way."""
    fetching = replace(NIGHTSCOUT, newest_at=None, syncs=replace(FACTS, history_done=False))
    sentence = _sentence(CONNECTED, fetching)

    assert sentence.headline == "Flowing from Dexcom"
    assert "Nightscout: Your history is being fetched from Nightscout" in sentence.text


def test_two_late_providers_are_both_in_the_headline() -> None:
    """Neither flows, for the same reason."""
    failing = [
        replace(each, syncs=replace(FACTS, last_error="Unavailable")) for each in (CONNECTED, NIGHTSCOUT)
    ]
    assert _sentence(*failing).headline == "Late at Nightscout and Dexcom"


def test_a_source_that_the_person_ended_is_not_mentioned() -> None:
    """The sentence about the source that is left is the usual one."""
    for other in (STOPPED, NEVER):
        assert _sentence(other, NIGHTSCOUT) == flow_sentence(NIGHTSCOUT, WORDING)
    assert _sentence(NEVER, NEVER).headline == "Stopped"  # Readings came by a webhook.
    assert _sentence(STOPPED, NEVER).text.endswith("Your readings are kept. Newest 15:28, 3 minutes old.")


def test_a_newcomer_reads_what_to_connect() -> None:
    """Nothing was ever connected, so nothing has stopped."""
    own = replace(NEVER, provider="Nightscout", own_server=True)

    assert str(sentence_of_sources([NEVER, own], None, WORDING)) == (
        "Not connected yet. Connect Dexcom or your Nightscout."
        " Your readings then arrive here by themselves, the newest ones first."
    )
    assert sentence_of_sources([STOPPED, own], None, WORDING).headline == "Stopped"


@given(st.lists(situations, min_size=1, max_size=3))
def test_one_flowing_source_is_enough(found: list[Situation]) -> None:
    """The status is the best of all sources, and each followed one is in the sentence."""
    named = [replace(each, provider=f"Provider{number}") for number, each in enumerate(found)]
    newest_at = max((each.newest_at for each in named if each.newest_at), default=None)
    sentence = sentence_of_sources(named, newest_at, WORDING)
    statuses = [flow_status(each, NOW) for each in named]

    assert sentence.status is min(statuses, key=list(FlowStatus).index)
    assert sentence.status is flow_status(best_first(named, NOW)[0], NOW)
    assert "None" not in str(sentence)
    assert ".." not in str(sentence)
    followed = [each for each in named if flow_status(each, NOW) is not FlowStatus.STOPPED]
    if len(followed) > 1:
        for each in followed:
            assert each.provider in str(sentence)
