"""Data flow of all sources of a person in one sentence: what arrives, and what each other source needs."""

# Rule 1: A source that is STOPPED is not mentioned if another one is followed.
# Rule 2: One followed source has the sentence of flow_sentence.
# Rule 3: The best status of several is the status of the person: one flowing source is enough.
# Rule 4: Each followed source has a clause of its own, the best first.
# Rule 5: A person who has never connected a source reads which ones there are.

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bg_ingest.facades.page.flow_sentence import (
    DELAY_WORTH_NAMING,
    FlowSentence,
    FlowStatus,
    flow_sentence,
    flow_status,
    has_other_account,
    late_at_provider,
    late_at_us,
    newest_in_words,
    next_look,
)
from bg_ingest.facades.page.wording import duration, listed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bg_ingest.facades.page.flow_sentence import Situation
    from bg_ingest.facades.page.wording import Wording

_BEST_FIRST = tuple(FlowStatus)  # In the order of their definition.


def best_first(situations: Sequence[Situation], now: datetime) -> list[Situation]:
    """The sources by their status, then by the age of their newest reading."""

    def rank(situation: Situation) -> tuple[int, bool, float]:
        newest_at = situation.newest_at
        return (
            _BEST_FIRST.index(flow_status(situation, now)),
            newest_at is None,
            -newest_at.timestamp() if newest_at else 0,
        )

    return sorted(situations, key=rank)


def sentence_of_sources(
    situations: Sequence[Situation], newest_at: datetime | None, wording: Wording
) -> FlowSentence:
    """The sentence at the head of the page; `newest_at` is of the newest reading of any source."""
    ordered = best_first(situations, wording.now)
    followed = [each for each in ordered if flow_status(each, wording.now) is not FlowStatus.STOPPED]
    if not followed and newest_at is None and not any(each.syncs for each in ordered):
        return _never_connected(situations)
    if not followed:
        return flow_sentence(replace(ordered[0], newest_at=newest_at), wording)
    if len(followed) == 1:
        return flow_sentence(followed[0], wording)
    clauses = [_clause(each, wording) for each in followed]
    if newest_at:
        clauses.insert(0, f"{newest_in_words(newest_at, wording)}.")
    status = flow_status(followed[0], wording.now)
    return FlowSentence(status, _headline(followed, status, wording), " ".join(clauses))


def _never_connected(situations: Sequence[Situation]) -> FlowSentence:
    names = " or ".join(_name(each) for each in situations)
    text = f"Connect {names}. Your readings then arrive here by themselves, the newest ones first."
    return FlowSentence(FlowStatus.STOPPED, "Not connected yet", text)


def _headline(followed: Sequence[Situation], status: FlowStatus, wording: Wording) -> str:
    alike = [each for each in followed if flow_status(each, wording.now) is status]
    names = listed([each.provider for each in alike])
    match status:
        case FlowStatus.FLOWING if len(alike) < len(followed):
            return f"Flowing from {listed([_name(each) for each in alike])}"
        case FlowStatus.LATE_AT_PROVIDER:
            return f"Late at {names}"
    return flow_sentence(followed[0], wording).headline


def _clause(situation: Situation, wording: Wording) -> str:
    provider = situation.provider
    match flow_status(situation, wording.now):
        case FlowStatus.FLOWING:
            delay = situation.provider_delay
            is_late = delay is not None and delay >= DELAY_WORTH_NAMING
            how = f"about {duration(delay)} late" if delay is not None and is_late else "in time"
            return f"{provider} hands readings over {how}.{next_look(situation, wording)}"
        case FlowStatus.LATE_AT_PROVIDER:
            return late_at_provider(situation, wording)
        case FlowStatus.LATE_AT_US:
            return f"{provider}: {late_at_us(situation, wording)}"
    if has_other_account(situation):
        return f"{provider} needs you to connect again, with the account used before."
    return f"{provider} needs you to connect again: it no longer accepts our access."


def _name(situation: Situation) -> str:
    return f"your {situation.provider}" if situation.own_server else situation.provider
