"""Forms that act: each sends its act and the token of the session by POST."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bg_ingest.facades.page.markup import element

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markupsafe import Markup

    from bg_ingest.facades.page.markup import Child

FORM_TOKEN = "form_token"  # noqa: S105 - the name of a field.
ACT = "act"
PROVIDER = "provider"


class Act(StrEnum):
    """What a person can do from the page."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"
    SYNC = "sync"
    INTERVAL = "interval"
    SHOW = "show"
    GRANT = "grant"
    REVOKE = "revoke"
    EXPORT = "export"
    ERASE = "erase"
    ERASE_FOR_GOOD = "erase-for-good"
    SIGN_OUT = "sign-out"


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of one session."""

    token: str

    def form(self, act: Act, button: str, *fields: Child, class_: str = "act", quiet: bool = True) -> Markup:
        """One form with its button."""
        return element(
            "form",
            hidden(ACT, act),
            hidden(FORM_TOKEN, self.token),
            fields,
            element("button", button, type="submit", class_="quiet" if quiet else "loud"),
            method="post",
            action="/",
            class_=class_,
        )


def hidden(name: str, value: str) -> Markup:
    """A field that is sent and not shown."""
    return element("input", type="hidden", name=name, value=value)


def text_field(name: str, label: str, *, value: str = "", **attributes: str | int | bool | None) -> Markup:
    """A field with its label."""
    return element(
        "label",
        element("span", label),
        element("input", name=name, value=value, **attributes),
    )


def choice(name: str, label: str, options: Iterable[tuple[str, str]], chosen: str | None = None) -> Markup:
    """A list to choose from."""
    return element(
        "label",
        element("span", label),
        element(
            "select",
            [element("option", text, value=value, selected=value == chosen) for value, text in options],
            name=name,
        ),
    )


def check_boxes(name: str, legend: str, options: Iterable[tuple[str, str]]) -> Markup:
    """Several boxes, all checked."""
    return element(
        "fieldset",
        element("legend", legend),
        [
            element("label", element("input", type="checkbox", name=name, value=value, checked=True), text)
            for value, text in options
        ],
    )
