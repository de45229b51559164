"""Data flow status: whether a person's readings arrive, in one sentence with reason and remedy."""

# Rule 1: A disconnected user is STOPPED.
# Rule 2: CONNECT_AGAIN if the provider rejects the login, or the login belongs to another account.
# Rule 3: LATE_AT_US if the last sync is overdue, or failed by a fault on our side.
# Rule 4: LATE_AT_PROVIDER if the last sync failed by any other fault.
# Rule 5: Without a reading: LATE_AT_US while the history is being fetched, otherwise LATE_AT_PROVIDER.
# Rule 6: LATE_AT_PROVIDER if the newest reading is older than the delay explains; otherwise FLOWING.
#
# The first rule that applies decides.

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.facades.page.wording import duration

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.facades.page.wording import Wording

# A poll waits in a queue, and a failed one is retried for three minutes, before the next is due.
LOOK_OVERDUE_AFTER = timedelta(minutes=3)
# A sensor measures every five minutes, and a reading may be one slot away.
NEWEST_TOLERANCE = timedelta(minutes=10)
# Expected of a provider until its delay was measured.
PROVIDER_DELAY_UNKNOWN = timedelta(hours=3)
DELAY_WORTH_NAMING = timedelta(minutes=10)
_QUIET = timedelta(days=1)
_AT_ONCE = timedelta(seconds=1)

# Types of `last_error` that are faults on our side. All others are the provider's.
_ACCOUNT_CHANGED = "account-changed"
_OURS = {
    "internal": "a fault on our side ended the last sync",
    "abandoned": "the last sync was lost on our side",
    "unreadable": "the last order could not be read",
    "sync-running": "an earlier sync still holds the turn",
    "Crowded": "more syncs were due than our pace allows",
    "QuotaSpent": "our calls to the provider are used up for this hour",
    "OutOfTime": "the last sync ran out of time",
}
_PROVIDERS = {
    "Throttled": "it asks us to slow down",
    "Garbled": "its answers are damaged",
    "ContractBroken": "its answers have changed, and we cannot read them",
    "RequestRefused": "it refuses our requests",
}


class FlowStatus(StrEnum):
    """The five states of a person's data flow."""

    FLOWING = "flowing"
    LATE_AT_PROVIDER = "late-at-provider"
    LATE_AT_US = "late-at-us"
    CONNECT_AGAIN = "connect-again"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class SyncFacts:
    """What the status needs to know of a person's syncs."""

    followed_since: datetime  # The last login.
    look_every: timedelta  # The polling interval that applies now.
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    next_look_at: datetime | None
    last_error: str | None  # Its type.
    history_done: bool
    our_delay: timedelta | None  # From the handing over at the provider to our storing, of the last day.


@dataclass(frozen=True, slots=True)
class Situation:
    """One source of a person: its connection, its syncs and its newest reading."""

    connection: ConnectionState
    provider: str
    syncs: SyncFacts | None
    newest_at: datetime | None
    provider_delay: timedelta | None  # How late the provider hands readings over, of the last day.
    own_server: bool = False  # The person runs it, and connects it with an address and a token.

    @property
    def account(self) -> str:
        """What the person connects."""
        return self.provider if self.own_server else f"{self.provider} account"


@dataclass(frozen=True, slots=True)
class FlowSentence:
    """The status, its headline and the sentence that explains it."""

    status: FlowStatus
    headline: str
    text: str

    def __str__(self) -> str:
        return f"{self.headline}. {self.text}"


def explained_by(situation: Situation) -> timedelta:
    """The age that the newest reading can have although everything works."""
    look_every = situation.syncs.look_every if situation.syncs else timedelta()
    delay = PROVIDER_DELAY_UNKNOWN if situation.provider_delay is None else situation.provider_delay
    return delay + look_every + NEWEST_TOLERANCE


def flow_status(situation: Situation, now: datetime) -> FlowStatus:
    """The status, by the rules at the head of this file."""
    syncs = situation.syncs
    if situation.connection is ConnectionState.DISCONNECTED or syncs is None:
        return FlowStatus.STOPPED
    if situation.connection is ConnectionState.NEEDS_REAUTH or syncs.last_error == _ACCOUNT_CHANGED:
        return FlowStatus.CONNECT_AGAIN
    if _is_overdue(syncs, now) or syncs.last_error in _OURS:
        return FlowStatus.LATE_AT_US
    if syncs.last_error is not None:
        return FlowStatus.LATE_AT_PROVIDER
    if situation.newest_at is None:
        return FlowStatus.LATE_AT_PROVIDER if syncs.history_done else FlowStatus.LATE_AT_US
    is_late = now - situation.newest_at > explained_by(situation)
    return FlowStatus.LATE_AT_PROVIDER if is_late else FlowStatus.FLOWING


def flow_sentence(situation: Situation, wording: Wording) -> FlowSentence:
    """The sentence about one source."""
    status = flow_status(situation, wording.now)
    provider = situation.provider
    match status:
        case FlowStatus.FLOWING:
            return FlowSentence(status, "Flowing", _flowing(situation, wording))
        case FlowStatus.LATE_AT_PROVIDER:
            text = late_at_provider(situation, wording)
            return FlowSentence(status, f"Late at {provider}", _after_newest(situation, text, wording))
        case FlowStatus.LATE_AT_US:
            text = late_at_us(situation, wording)
            return FlowSentence(status, "Late at us", _after_newest(situation, text, wording))
        case FlowStatus.CONNECT_AGAIN:
            return FlowSentence(status, "Connect again", _connect_again(situation, wording))
        case FlowStatus.STOPPED:
            return FlowSentence(status, "Stopped", _stopped(situation, wording))


def _is_overdue(syncs: SyncFacts, now: datetime) -> bool:
    latest = max(filter(None, (syncs.followed_since, syncs.last_attempt_at, syncs.last_success_at)))
    return now - latest > syncs.look_every + LOOK_OVERDUE_AFTER


def _flowing(situation: Situation, wording: Wording) -> str:
    syncs, delay = situation.syncs, situation.provider_delay
    text = newest_in_words(situation.newest_at, wording)
    if delay is not None and delay >= DELAY_WORTH_NAMING:
        text += f": {situation.provider} hands readings over about {duration(delay)} late"
        if syncs and syncs.our_delay is not None:
            text += f"; they are stored {_after(syncs.our_delay)}"
    elif syncs and syncs.our_delay is not None:
        text += f", stored {_after(syncs.our_delay, f'{situation.provider} had it')}"
    return f"{text}.{next_look(situation, wording)}"


def _after(delay: timedelta, event: str | None = None) -> str:
    if delay < _AT_ONCE:
        return f"as soon as {event}" if event else "at once"
    return f"{duration(delay)} after {event or 'that'}"


def late_at_provider(situation: Situation, wording: Wording) -> str:
    """Why the provider is late, and when it is asked next."""
    syncs, provider = situation.syncs, situation.provider
    assert syncs  # noqa: S101 - a status other than STOPPED has syncs.
    if syncs.last_error is not None:
        reason = _PROVIDERS.get(syncs.last_error, "it cannot be reached")
        since = f" since {wording.clock(syncs.last_success_at)}" if syncs.last_success_at else ""
        text = f"{provider} gives us nothing{since}: {reason}. We keep trying; you need not do anything."
    elif situation.newest_at is None:
        text = f"{provider} answers, but has no readings of yours. Check that your sensor's app uploads."
    elif wording.now - situation.newest_at >= _QUIET:
        silence = duration(wording.now - situation.newest_at)
        text = (
            f"{provider} answers, but has had nothing newer for {silence}."
            " Check that a sensor is running and that its app uploads."
        )
    else:
        text = (
            f"{provider} answers, but has nothing newer yet. Check that the phone is online and its app open."
        )
    return f"{text}{next_look(situation, wording)}"


def late_at_us(situation: Situation, wording: Wording) -> str:
    """What delays us, and when we look next."""
    syncs = situation.syncs
    assert syncs  # noqa: S101 - as above.
    if syncs.last_error in _OURS:
        reason = f"{_OURS[syncs.last_error].capitalize()}; it is repeated by itself."
    elif _is_overdue(syncs, wording.now):
        last = syncs.last_attempt_at or syncs.followed_since
        reason = (
            f"Our last look was {duration(wording.now - last)} ago, longer than planned."
            " We catch up by ourselves."
        )
    else:
        reason = f"Your history is being fetched from {situation.provider}; the newest readings come first."
    return f"{reason} Nothing is lost.{next_look(situation, wording)}"


def is_first_history(situation: Situation) -> bool:
    """Whether the first readings of a new connection are on their way."""
    syncs = situation.syncs
    is_on_its_way = syncs is not None and syncs.last_error is None and not syncs.history_done
    return is_on_its_way and situation.connection is ConnectionState.CONNECTED and situation.newest_at is None


def has_other_account(situation: Situation) -> bool:
    """Whether the last login was with another account than the stored readings are of."""
    is_connected = situation.connection is ConnectionState.CONNECTED
    return is_connected and situation.syncs is not None and situation.syncs.last_error == _ACCOUNT_CHANGED


def newest_in_words(newest_at: datetime | None, wording: Wording) -> str:
    """The time and the age of the newest reading."""
    assert newest_at  # noqa: S101 - each caller has checked it.
    return f"Newest {wording.clock(newest_at)}, {duration(wording.now - newest_at)} old"


def next_look(situation: Situation, wording: Wording) -> str:
    """When the provider is asked next, as a sentence after another one."""
    at = situation.syncs.next_look_at if situation.syncs else None
    return f" Next look {wording.clock(at)}." if at and at >= wording.now else ""


def _connect_again(situation: Situation, wording: Wording) -> str:
    provider = situation.provider
    newest = f" {newest_in_words(situation.newest_at, wording)}." if situation.newest_at else ""
    if has_other_account(situation):
        return (
            f"The login belongs to another {situation.account} than your stored readings,"
            f" so nothing is fetched. Connect with the account used before.{newest}"
        )
    remedy = "A valid token" if situation.own_server else "One login there"
    return (
        f"{provider} no longer accepts our access, because it was withdrawn or has expired."
        f" {remedy} starts it again, and the gap is filled.{newest}"
    )


def _stopped(situation: Situation, wording: Wording) -> str:
    if situation.newest_at is None:
        return f"Nothing is fetched, because no {situation.account} is connected. Connect it to begin."
    return (
        f"Nothing is fetched, because your {situation.account} is not connected."
        f" Your readings are kept. {newest_in_words(situation.newest_at, wording)}."
    )


def _after_newest(situation: Situation, text: str, wording: Wording) -> str:
    if situation.newest_at is None:
        return text
    return f"{newest_in_words(situation.newest_at, wording)}. {text}"
