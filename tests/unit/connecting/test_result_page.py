from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.connecting.result_page import CONNECTED, DENIED, EXPIRED, FAILED, result_page

# Characters that HTML can carry; a parser changes all others.
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60)


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = ["document"]
        self.words: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - as the parser calls it.
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words[self.tags[-1]] = self.words.get(self.tags[-1], "") + data


def _seen(html: str) -> _Seen:
    seen = _Seen()
    seen.feed(html)
    seen.close()
    return seen


@given(_TEXT, _TEXT)
def test_any_text_on_the_page_is_escaped(title: str, text: str) -> None:
    """The page has the same elements for every text, and shows it unchanged."""
    seen = _seen(result_page(title, text))

    assert seen.tags == _seen(result_page("t", "x")).tags
    assert seen.words["h1"].removesuffix("\n") == title
    assert seen.words["p"].startswith(text)


@pytest.mark.parametrize("text", [CONNECTED, DENIED, EXPIRED, FAILED])
def test_the_page_loads_nothing(text: tuple[str, str]) -> None:
    """The page has no script, image or address, so it works without JavaScript and sends no request."""
    html = result_page(*text)

    assert not set(_seen(html).tags) & {"script", "img", "iframe", "form", "a"}
    assert "//" not in html
    assert "width=device-width" in html
