"""
When a measurement reaches Dexcom, which is when its API can first show it.

Phones upload at once, but what they send is served late on purpose (an hour in the United States, three
elsewhere), and a phone that was off sends everything when it is on again. Receivers send when plugged in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dexcom_sim.noise import draw
from dexcom_sim.traces import DAY_S, HOUR_S

if TYPE_CHECKING:
    from dexcom_sim.people import Person

PHONE_DELAY_S = HOUR_S
PHONE_OFF_S_MAX = 10 * HOUR_S
_PHONE_OFF_CHANCE = 0.08  # Per day.
_PLUG_IN_EVERY_S = 3 * DAY_S
_PLUG_IN_FORGOTTEN_CHANCE = 0.3
_PLUG_INS_FORGOTTEN_MAX = 6  # Phones backfill a day; receivers send weeks at once.
_OFF, _OFF_AT, _OFF_FOR, _FORGOTTEN, _PLUGGED_AT = range(32, 37)


def lateness_s_max(person: Person, delay_s: int) -> int:
    """No measurement of that person arrives later after it was made."""
    if person.phone == "receiver":
        return (_PLUG_INS_FORGOTTEN_MAX + 2) * _PLUG_IN_EVERY_S
    return PHONE_OFF_S_MAX + delay_s


def uploaded_s(person: Person, measured_s: int, delay_s: int) -> int:
    """The second from which Dexcom's API shows what was measured then."""
    if person.phone == "receiver":
        return _plugged_in_s(person, measured_s)
    return _phone_on_s(person, measured_s, delay_s) + delay_s


def _phone_on_s(person: Person, measured_s: int, delay_s: int) -> int:
    # Without delay the person is meant to be current: a demonstration, or a test that wants no surprise.
    if delay_s == 0:
        return measured_s
    day = measured_s // DAY_S
    if draw(person.seed, _OFF, day) >= _PHONE_OFF_CHANCE:
        return measured_s
    off_s = day * DAY_S + int(draw(person.seed, _OFF_AT, day) * (DAY_S - PHONE_OFF_S_MAX))
    on_s = off_s + int(draw(person.seed, _OFF_FOR, day) * PHONE_OFF_S_MAX)
    return on_s if off_s <= measured_s < on_s else measured_s


def _plugged_in_s(person: Person, measured_s: int) -> int:
    block = measured_s // _PLUG_IN_EVERY_S
    for forgotten in range(_PLUG_INS_FORGOTTEN_MAX):
        plugged_s = _plug_in_s(person, block + forgotten)
        if (
            plugged_s >= measured_s
            and draw(person.seed, _FORGOTTEN, block + forgotten) >= _PLUG_IN_FORGOTTEN_CHANCE
        ):
            return plugged_s
    return _plug_in_s(person, block + _PLUG_INS_FORGOTTEN_MAX)


def _plug_in_s(person: Person, block: int) -> int:
    return int((block + draw(person.seed, _PLUGGED_AT, block)) * _PLUG_IN_EVERY_S)
