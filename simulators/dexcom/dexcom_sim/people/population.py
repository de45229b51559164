"""The sandbox users: where each lives, which device and sensor each uses, and how each body reacts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from dexcom_sim.keyed_random import derive

DisplayDevice = Literal["iOS", "android", "receiver"]


@dataclass(frozen=True, slots=True)
class SensorModel:
    """A generation of sensors, with Dexcom's names for it."""

    generation: str
    variant: str
    app: str
    session_days: int
    warm_up_s: int
    sensors_per_transmitter: int


# A G6 transmitter is used for nine sensors (90 days). From the G7 on, sensor and transmitter are one piece.
G6 = SensorModel("g6", "g6", "G6", session_days=10, warm_up_s=7200, sensors_per_transmitter=9)
G7 = SensorModel("g7", "g7", "G7", session_days=10, warm_up_s=1800, sensors_per_transmitter=1)
G7_15 = SensorModel("g7", "g7 15 day", "G7", session_days=15, warm_up_s=3600, sensors_per_transmitter=1)


@dataclass(frozen=True, slots=True)
class Physiology:
    """How the body and the habits of a person move glucose: levels in mg/dL, chances per day or per meal."""

    base: float = 115.0
    dawn: float = 20.0  # The rise before waking.
    meal: float = 65.0  # The peak of an ordinary meal.
    missed_insulin: float = 0.04  # The chance of a meal without insulin; it can lead above 400.
    overcorrection: float = 0.06  # The chance of too much insulin after dinner; it can lead below 40.
    exercise: float = 0.35  # The chance of an hour of exercise in the afternoon.


@dataclass(frozen=True, slots=True)
class SimulatedPerson:
    """One sandbox user. The whole glucose history is a function of these members."""

    name: str
    zone: str
    device: DisplayDevice
    sensor_model: SensorModel
    physiology: Physiology
    seed: int = 0
    body_offset_s: int = 0  # UTC offset of the body's day, which knows no daylight saving time.
    reliable: bool = False  # No gap, no lost reading, no warm-up, and a phone that is never off.

    def __hash__(self) -> int:
        # Caches ask for the hash at every reading. The generated one would go through all members.
        return self.seed

    def describe(self) -> str:
        """One line for the login page."""
        return f"{self.device}, Dexcom {self.sensor_model.variant.upper()}, {self.zone}"


def _hours(hours: float) -> int:
    return int(hours * 3600)


_SANDBOX_USERS = (
    SimulatedPerson("SandboxUser1", "America/Los_Angeles", "iOS", G6, Physiology(), body_offset_s=_hours(-8)),
    SimulatedPerson(
        "SandboxUser2",
        "America/New_York",
        "android",
        G6,
        Physiology(150, 30, 90, missed_insulin=0.12),
        body_offset_s=_hours(-5),
    ),
    SimulatedPerson(
        "SandboxUser3",
        "Europe/Berlin",
        "iOS",
        G7,
        Physiology(105, 12, 45, missed_insulin=0.01, overcorrection=0.15),
        body_offset_s=_hours(1),
    ),
    SimulatedPerson(
        "SandboxUser4",
        "America/Chicago",
        "receiver",
        G6,
        Physiology(130, 25, 70),
        body_offset_s=_hours(-6),
    ),
    SimulatedPerson(
        "SandboxUser5",
        "Asia/Kathmandu",
        "android",
        G7,
        Physiology(125, 15, 80, missed_insulin=0.1),
        body_offset_s=_hours(5.75),
    ),
    SimulatedPerson(
        "SandboxUser6",
        "Australia/Adelaide",
        "android",
        G6,
        Physiology(110, 35, 60),
        body_offset_s=_hours(9.5),
    ),
    SimulatedPerson(
        "SandboxUser7", "America/Denver", "iOS", G7, Physiology(120, 20, 60), body_offset_s=_hours(-7)
    ),
    SimulatedPerson(
        "SandboxUser8",
        "Pacific/Auckland",
        "iOS",
        G7_15,
        Physiology(135, 20, 75, missed_insulin=0.1),
        body_offset_s=_hours(12),
    ),
)

PEOPLE = len(_SANDBOX_USERS)


@lru_cache(maxsize=64)
def population(seed: int, people: int = PEOPLE, reliable: tuple[str, ...] = ()) -> dict[str, SimulatedPerson]:
    """The first `people` users by name. From the ninth on, they are variations of the first eight."""
    named = (
        replace(_SANDBOX_USERS[number % PEOPLE], name=f"SandboxUser{number + 1}") for number in range(people)
    )
    return {
        person.name: replace(person, seed=derive(seed, person.name), reliable=person.name in reliable)
        for person in named
    }
