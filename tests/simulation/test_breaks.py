import pytest

from tests.simulation.breaks import BREAKS, CHECKOUT, PACKAGE, Break


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name.replace(" ", "-"))
def test_every_break_of_the_list_can_still_be_made(broken: Break) -> None:
    """What it changes is in the code once; whether it is caught, `make breaks` shows."""
    code = (CHECKOUT / PACKAGE / broken.file).read_text()

    assert code.count(broken.right) == 1
    assert broken.wrong != broken.right
