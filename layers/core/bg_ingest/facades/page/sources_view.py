"""The sources of a person: the state of each one, and the forms that connect and end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.facades.page.flow_sentence import FlowStatus, flow_status, is_first_history
from bg_ingest.facades.page.forms import PROVIDER, Act, choice, hidden, text_field
from bg_ingest.facades.page.markup import element, folded, joined
from bg_ingest.facades.page.wording import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from markupsafe import Markup

    from bg_ingest.facades.page.flow_sentence import Situation
    from bg_ingest.facades.page.forms import Forms
    from bg_ingest.facades.page.person_view import PersonView, SourceView
    from bg_ingest.facades.page.wording import Wording

_STATES = {
    FlowStatus.FLOWING: "flowing",
    FlowStatus.LATE_AT_PROVIDER: "late at the provider",
    FlowStatus.LATE_AT_US: "late at us",
    FlowStatus.CONNECT_AGAIN: "needs you to connect again",
    FlowStatus.STOPPED: "not connected",
}


def sources_list(view: PersonView) -> Markup | None:
    """The state of each source; None for a person with one source, whose state is the sentence."""
    if len(view.known) < 2 or not view.shows_flow:
        return None
    rows = [_row(each, view.wording) for each in view.known]
    return element("ul", rows, class_="lines sources")


def remedy_buttons(view: PersonView, forms: Forms) -> list[Markup]:
    """A button for each source that has to be connected, before data flows from it."""
    if view.is_new:
        return [_remedy(each, forms) for each in view.sources]
    sentence, now = view.sentence, view.wording.now
    asked = [each for each in view.sources if flow_status(each.situation, now) is FlowStatus.CONNECT_AGAIN]
    if sentence.status is FlowStatus.STOPPED:
        asked = [each for each in view.sources if each.situation is view.situations[0]]
    return [_remedy(each, forms) for each in asked]


def source_cards(view: PersonView, forms: Forms) -> Iterable[tuple[str, str, Markup]]:
    """The title, the text and the forms of each source."""
    for source in view.sources:
        situation = source.situation
        if situation.connection is ConnectionState.DISCONNECTED:
            place = f"your {situation.provider}" if situation.own_server else situation.provider
            yield f"Connect {place}", *_new(source, forms)
        else:
            state = _state(situation, view.wording)
            text = (
                f"{state[:1].upper()}{state[1:]}. A new login replaces the old one."
                f" Disconnecting stops all fetching from {situation.provider} and keeps your readings."
            )
            yield f"Your {situation.account}", text, _connected(source, view.intervals, forms)


def _row(situation: Situation, wording: Wording) -> Markup:
    parts = [_state(situation, wording)]
    if situation.newest_at:
        age = duration(wording.now - situation.newest_at)
        parts.append(f"newest {wording.clock(situation.newest_at)}, {age} old")
    if situation.syncs:
        since = situation.syncs.followed_since.astimezone(wording.zone).date()
        parts.append(f"connected on {wording.day(since)}")
    return element("li", element("b", situation.provider), f": {'; '.join(parts)}")


def _state(situation: Situation, wording: Wording) -> str:
    if is_first_history(situation):
        return "its history is being fetched"
    return _STATES[flow_status(situation, wording.now)]


def _remedy(source: SourceView, forms: Forms) -> Markup:
    label = f"Connect {source.situation.provider}"
    if source.situation.own_server:
        return element("p", element("a", label, href=f"#{_place(source)}", class_="button"))
    return forms.form(Act.CONNECT, label, hidden(PROVIDER, source.key), quiet=False)


def _new(source: SourceView, forms: Forms) -> tuple[str, Markup]:
    provider = source.situation.provider
    if source.situation.own_server:
        text = f"{provider} on a server of your own, with a token that may only read."
        return text, _credentials(source, forms)
    text = f"You log in at {provider}; this service never sees your password there."
    return text, forms.form(Act.CONNECT, "Connect", hidden(PROVIDER, source.key), quiet=False)


def _connected(source: SourceView, intervals: Sequence[timedelta], forms: Forms) -> Markup:
    provider = hidden(PROVIDER, source.key)
    every = choice("seconds", "Look every", _intervals(intervals), _seconds(source.interval))
    disconnect = forms.form(Act.DISCONNECT, "Disconnect", provider)
    if not source.situation.own_server:
        again = forms.form(Act.CONNECT, "Connect again", provider)
        last = element("div", again, disconnect, class_="row")
    elif source.situation.connection is ConnectionState.NEEDS_REAUTH:
        last = joined(_credentials(source, forms), disconnect)
    else:
        last = joined(folded("Another address or token", _credentials(source, forms)), disconnect)
    return joined(forms.form(Act.INTERVAL, "Save", provider, every), last)


def _credentials(source: SourceView, forms: Forms) -> Markup:
    return element(
        "div",
        forms.form(
            Act.CONNECT,
            "Connect",
            hidden(PROVIDER, source.key),
            text_field(
                "address", "Address", type="url", required=True, placeholder="https://", autocomplete="off"
            ),
            text_field("token", "Token", type="password", required=True, autocomplete="off"),
        ),
        id=_place(source),
    )


def _place(source: SourceView) -> str:
    return f"connect-{source.key}"


def _intervals(intervals: Sequence[timedelta]) -> list[tuple[str, str]]:
    return [(_seconds(each), duration(each)) for each in intervals]


def _seconds(interval: timedelta) -> str:
    return str(int(interval.total_seconds()))
