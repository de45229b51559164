"""The state that a simulator keeps until its next start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dexcom_sim.added_readings import AddedReading
from dexcom_sim.saved_state import restore, save
from dexcom_sim.simulator import SimulatedDexcom

if TYPE_CHECKING:
    from pathlib import Path

ANA = "SandboxUser1"


def test_tokens_survive_a_restart(tmp_path: Path) -> None:
    """A refresh token still works after it, and an access token still opens the data."""
    before, after = SimulatedDexcom(), SimulatedDexcom()
    code = before.consents.grant_code(ANA, "http://back")
    tokens = before.consents.exchange(code, "http://back")
    assert tokens is not None

    save(before, tmp_path / "state.json")
    restore(after, tmp_path / "state.json")

    assert after.consents.user_of_access_token(tokens.access) == ANA
    renewed = after.consents.refresh(tokens.refresh)
    assert renewed is not None
    assert renewed.access != tokens.access
    assert after.consents.refresh(tokens.refresh) is None


def test_subscriptions_and_added_readings_survive(tmp_path: Path) -> None:
    """A new subscription gets a number of its own."""
    before, after = SimulatedDexcom(), SimulatedDexcom()
    kept = before.subscriptions.register(ANA, "http://one")
    person = before.person(ANA)
    assert person is not None
    at = before.clock.now()
    before.add_readings(person, [AddedReading(system_time=at, value=123)])

    save(before, tmp_path / "state.json")
    restore(after, tmp_path / "state.json")

    assert after.subscriptions.listed() == [kept]
    other = after.subscriptions.register(ANA, "http://two")
    assert other is not None
    assert kept is not None
    assert other.id != kept.id
    now_s = after.now_s()
    assert 123 in [record["value"] for record in after.records(person, now_s - 60, now_s + 60)]


def test_the_first_start_has_no_file(tmp_path: Path) -> None:
    """The simulator starts with new people."""
    simulator = SimulatedDexcom()
    restore(simulator, tmp_path / "missing.json")

    assert simulator.subscriptions.listed() == []


def test_a_reliable_user_is_up_to_date() -> None:
    """The newest reading is at most seven minutes old, where a phone's is an hour old."""
    simulator = SimulatedDexcom(reliable=["SandboxUser7"])
    ages_s = {}
    for user in ("SandboxUser7", ANA):
        person = simulator.person(user)
        assert person is not None
        span = simulator.data_span(person)
        assert span is not None
        ages_s[user] = simulator.now_s() - span.last_s

    assert ages_s["SandboxUser7"] <= 7 * 60
    assert ages_s[ANA] >= 3600
