"""Who lives in the simulated world: the sandbox users, where they live and what they wear."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from dexcom_sim.noise import derive

Phone = Literal["iOS", "android", "receiver"]


@dataclass(frozen=True, slots=True)
class Wears:
    """A generation of sensors, as Dexcom spells it, and how long one lasts."""

    generation: str
    variant: str
    app: str
    session_days: int
    warm_up_s: int
    sensors_per_transmitter: int


# A G6 transmitter outlives its sensors (90 days); from the G7 on, sensor and transmitter are one piece.
G6 = Wears("g6", "g6", "G6", session_days=10, warm_up_s=7200, sensors_per_transmitter=9)
G7 = Wears("g7", "g7", "G7", session_days=10, warm_up_s=1800, sensors_per_transmitter=1)
G7_15 = Wears("g7", "g7 15 day", "G7", session_days=15, warm_up_s=3600, sensors_per_transmitter=1)


@dataclass(frozen=True, slots=True)
class Body:
    """How a body and its habits move glucose, in mg/dL and chances per day."""

    base: float = 115.0
    dawn: float = 20.0  # The rise before waking.
    meal: float = 65.0  # The peak of an ordinary meal.
    forgets: float = 0.04  # A meal without insulin: the way above 400.
    overcorrects: float = 0.06  # Too much insulin after dinner: the way below 40.
    moves: float = 0.35  # An hour of exercise in the afternoon.


@dataclass(frozen=True, slots=True)
class Person:
    """One sandbox user; everything about their past follows from these members."""

    name: str
    zone: str
    phone: Phone
    wears: Wears
    body: Body
    seed: int = 0
    body_offset_s: int = 0  # The body's own day: it knows no daylight saving time.

    def __hash__(self) -> int:
        # Caches ask for it at every reading; the generated one would walk through all members.
        return self.seed

    def describe(self) -> str:
        """One line for the people who choose among them."""
        return f"{self.phone}, Dexcom {self.wears.variant.upper()}, {self.zone}"


_CAST = (
    Person("SandboxUser1", "America/Los_Angeles", "iOS", G6, Body(), body_offset_s=-8 * 3600),
    Person(
        "SandboxUser2", "America/New_York", "android", G6, Body(150, 30, 90, 0.12), body_offset_s=-5 * 3600
    ),
    Person("SandboxUser3", "Europe/Berlin", "iOS", G7, Body(105, 12, 45, 0.01, 0.15), body_offset_s=3600),
    Person("SandboxUser4", "America/Chicago", "receiver", G6, Body(130, 25, 70), body_offset_s=-6 * 3600),
    Person("SandboxUser5", "Asia/Kathmandu", "android", G7, Body(125, 15, 80, 0.1), body_offset_s=20700),
    Person("SandboxUser6", "Australia/Adelaide", "android", G6, Body(110, 35, 60), body_offset_s=34200),
    Person("SandboxUser7", "America/Denver", "iOS", G7, Body(120, 20, 60), body_offset_s=-7 * 3600),
    Person("SandboxUser8", "Pacific/Auckland", "iOS", G7_15, Body(135, 20, 75, 0.1), body_offset_s=43200),
)


PEOPLE = len(_CAST)


@lru_cache(maxsize=64)
def population(seed: int, people: int = PEOPLE) -> dict[str, Person]:
    """The first `people` users by name; beyond the cast, its members come again with other lives."""
    named = (replace(_CAST[number % len(_CAST)], name=f"SandboxUser{number + 1}") for number in range(people))
    return {person.name: replace(person, seed=derive(seed, person.name)) for person in named}
