"""A served Nightscout shows what was relayed, edited and deleted, and fails until it recovers."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from bg_ingest.clock import SystemClock
from tests.faults.deployed.flaws import Shown
from tests.faults.deployed.served_site import FAULTS, serving

_EVERY = timedelta(minutes=5)


def test_relayed_readings_are_edited_and_deleted() -> None:
    """The newest entry is edited, the one before it is deleted, and all keep their trends."""
    now = SystemClock().now().replace(microsecond=0)
    trends = ("flat", "notComputable", "fortyFiveUp", "doubleDown")
    measured = [Shown(now - (4 - n) * _EVERY, 100 + n, trend) for n, trend in enumerate(trends)]
    with serving(1, history_days=1, sensor=False) as site:
        site.relay(measured, late_s=7)
        late = [Shown(one.at + timedelta(seconds=7), one.mg_dl, one.trend) for one in measured]
        assert site.shown(now - timedelta(days=1), now) == late

        site.edit_and_delete(newest=0)
        shown = site.shown(now - timedelta(days=1), now)
    assert [one.mg_dl for one in shown] == [100, 101, 104]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["kind"])
def test_each_fault_lasts_until_the_site_recovers(fault: dict[str, object]) -> None:
    """A failing site does not answer with its version."""
    with serving(1, history_days=1, sensor=True) as site:
        site.fail(**fault)
        assert not _is_well(site.address)
        site.recover()
        assert _is_well(site.address)
        assert site.calls() == 2


def _is_well(address: str) -> bool:
    try:
        answer = httpx.get(f"{address}/api/v3/version", trust_env=False)
        return answer.status_code == 200 and bool(answer.json())
    except (httpx.HTTPError, ValueError):
        return False
