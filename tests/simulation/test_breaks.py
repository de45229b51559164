import pytest

from tests.simulation.breaks import BREAKS, CHECKOUT, PACKAGE, Break


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name.replace(" ", "-"))
def test_every_break_still_applies_to_the_code(broken: Break) -> None:
    """The original code of each break occurs exactly once; `make breaks` shows that it is detected."""
    code = (CHECKOUT / PACKAGE / broken.file).read_text()

    assert code.count(broken.right) == 1
    assert broken.wrong != broken.right
