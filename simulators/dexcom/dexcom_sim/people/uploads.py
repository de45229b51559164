"""
Upload time of a measurement: the time from which Dexcom's API returns it.

A phone uploads at once, but Dexcom serves its uploads late: an hour in the United States, three hours
elsewhere. If a phone was off, it uploads everything when it is on again. A receiver uploads when it is
plugged in.

An `UploadHold` delays uploads further:

    uploaded                  arrives
    ------------------------  -----------------------------------------------------------------
    before the hold started   as without the hold
    during the hold           `delay_s` later, or when the hold is released, whichever is first
    after the release         as without the hold

A hold may be released newest first. Then the measurement that was uploaded last arrives at the release, and
the measurement that was uploaded first arrives `newest_first_s` later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dexcom_sim.keyed_random import draw
from dexcom_sim.people.glucose import DAY_S, HOUR_S

if TYPE_CHECKING:
    from dexcom_sim.people.population import SimulatedPerson

PHONE_DELAY_S = HOUR_S
RELIABLE_DELAY_S = 60
PHONE_OFF_S_MAX = 10 * HOUR_S
_PHONE_OFF_CHANCE = 0.08  # Per day.
_PLUG_IN_EVERY_S = 3 * DAY_S
_PLUG_IN_SKIPPED_CHANCE = 0.3
_PLUG_INS_SKIPPED_MAX = 6
# Salts of the random numbers, one per use.
_OFF, _OFF_AT, _OFF_FOR, _SKIPPED, _PLUGGED_AT = range(32, 37)


@dataclass(frozen=True, slots=True)
class UploadHold:
    """A reason why uploads are late."""

    number: int
    user: str | None  # None: every user.
    since_s: int
    delay_s: int
    released_s: int | None = None
    newest_first_s: int = 0  # The time that the phone needs to send everything after the release.

    def applies_to(self, user: str) -> bool:
        """Whether the hold delays this user's uploads."""
        return self.user in {None, user}

    def arrival_s(self, uploaded_s: int) -> int:
        """The time at which an upload arrives."""
        if uploaded_s <= self.since_s:
            return uploaded_s
        late_s = uploaded_s + self.delay_s
        if self.released_s is None:
            return late_s
        if uploaded_s >= self.released_s:
            return uploaded_s
        age = (self.released_s - uploaded_s) / (self.released_s - self.since_s)
        return min(late_s, self.released_s + int(age * self.newest_first_s))


def lateness_s_max(person: SimulatedPerson, delay_s: int) -> int:
    """The longest time between a measurement of this person and its upload."""
    if person.device == "receiver":
        return (_PLUG_INS_SKIPPED_MAX + 2) * _PLUG_IN_EVERY_S
    return PHONE_OFF_S_MAX + delay_s


def uploaded_s(person: SimulatedPerson, measured_s: int, delay_s: int) -> int:
    """The upload time of a measurement, without any hold."""
    if person.device == "receiver":
        return _plugged_in_s(person, measured_s)
    return _phone_on_s(person, measured_s, delay_s) + delay_s


def _phone_on_s(person: SimulatedPerson, measured_s: int, delay_s: int) -> int:
    # A delay of 0 asks for current data, so the phone is never off.
    if delay_s == 0 or person.reliable:
        return measured_s
    day = measured_s // DAY_S
    if draw(person.seed, _OFF, day) >= _PHONE_OFF_CHANCE:
        return measured_s
    off_s = day * DAY_S + int(draw(person.seed, _OFF_AT, day) * (DAY_S - PHONE_OFF_S_MAX))
    on_s = off_s + int(draw(person.seed, _OFF_FOR, day) * PHONE_OFF_S_MAX)
    return on_s if off_s <= measured_s < on_s else measured_s


def _plugged_in_s(person: SimulatedPerson, measured_s: int) -> int:
    block = measured_s // _PLUG_IN_EVERY_S
    for later in range(_PLUG_INS_SKIPPED_MAX):
        plugged_s = _plug_in_s(person, block + later)
        is_skipped = draw(person.seed, _SKIPPED, block + later) < _PLUG_IN_SKIPPED_CHANCE
        if plugged_s >= measured_s and not is_skipped:
            return plugged_s
    return _plug_in_s(person, block + _PLUG_INS_SKIPPED_MAX)


def _plug_in_s(person: SimulatedPerson, block: int) -> int:
    return int((block + draw(person.seed, _PLUGGED_AT, block)) * _PLUG_IN_EVERY_S)
