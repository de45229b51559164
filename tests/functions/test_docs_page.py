"""The page at /docs, as a browser without a network would have it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

from tests.functions.gateway import Request, send
from tools.interface.code import operations

if TYPE_CHECKING:
    from tests.functions.conftest import World


class Page(HTMLParser):
    """What a browser would find: every tag, every id, every address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take notes."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.addresses += [value for name, value in attrs if name in {"href", "src"} and value]


def test_the_page_needs_nothing_but_itself(world: World) -> None:
    """No script, no image, no font, no address that leads elsewhere; so it works without a network."""
    _, answer = send(world, Request("GET", "/docs"))
    page = Page(answer["body"])

    assert answer["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert answer["headers"]["Content-Security-Policy"].startswith("default-src 'none'")
    assert not page.tags & {"script", "link", "img", "iframe", "object", "svg"}
    assert not {name for name in page.attributes if name.startswith("on")}
    assert all(address.startswith("#") or address == "openapi.json" for address in page.addresses)
    assert "@import" not in answer["body"]
    assert "url(" not in answer["body"]


def test_every_link_of_the_page_leads_somewhere(world: World) -> None:
    """Each place it names is there, once."""
    _, answer = send(world, Request("GET", "/docs"))
    page = Page(answer["body"])
    named = {address.removeprefix("#") for address in page.addresses if address.startswith("#")}

    assert named <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_the_page_shows_every_route_parameter_and_pattern(world: World) -> None:
    """Letter for letter: a pattern in lower case would be another one."""
    _, answer = send(world, Request("GET", "/docs"))

    for (method, path), told in operations().items():
        assert f'<span class="method">{method}</span><code>{path}</code>' in answer["body"]
        for parameter in told["parameters"]:
            assert f"<code>{parameter['name']}</code>" in answer["body"]
            assert parameter["schema"].get("pattern", "") in answer["body"]
