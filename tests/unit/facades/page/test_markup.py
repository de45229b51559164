"""HTML that escapes every text, by construction."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.facades import page
from bg_ingest.facades.page.markup import element, joined, style_sheet

# XML has no control characters; browsers show them as nothing.
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
MODULES = sorted(Path(page.__file__).parent.glob("*.py"))


@given(texts, texts)
def test_text_and_attribute_come_back_unchanged(text: str, value: str) -> None:
    """A parser reads the same text and the same value, so neither became markup."""
    parsed = ET.fromstring(element("p", text, title=value))  # noqa: S314 - our own document.

    assert list(parsed) == []
    assert (parsed.text or "") == text
    assert parsed.get("title") == value


def test_elements_inside_elements_are_not_escaped_again() -> None:
    """The tags of an inner element stay tags, and lists may be nested."""
    assert element("p", ["a", [element("b", "&")]], None) == "<p>a<b>&amp;</b></p>"
    assert joined("<", element("br")) == "&lt;<br/>"


def test_attributes_are_left_out_or_named() -> None:
    """None and False are left out, True has its own name, and underscores become hyphens."""
    made = element("input", required=True, disabled=False, value=None, class_="a", aria_label="b", width=1.0)

    assert made == '<input required="required" class="a" aria-label="b" width="1"/>'


def test_style_sheet_cannot_end_its_element() -> None:
    """A style sheet with a tag inside is refused."""
    with pytest.raises(ValueError, match="must not contain"):
        style_sheet("</style><script>")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_only_one_module_makes_markup(module: Path) -> None:
    """No other module can mark a text as safe."""
    names = {node.id for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Name)}

    assert module.stem == "markup" or "escape" not in names
    imported = [node for node in ast.parse(module.read_text()).body if isinstance(node, ast.ImportFrom)]
    assert module.stem == "markup" or all(node.module != "markupsafe" for node in imported)
