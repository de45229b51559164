"""
The file in which a simulator keeps its state while it does not run.

It has tokens, subscriptions and added readings. Sensor readings follow from the seed and the time. Faults,
the offset of the clock and the call log end with the process.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from dexcom_sim.people.archive import AddedRecord
from dexcom_sim.people.records import DatedRecord
from dexcom_sim.subscriptions import WebhookSubscription

if TYPE_CHECKING:
    from pathlib import Path

    from dexcom_sim.simulator import SimulatedDexcom


def save(simulator: SimulatedDexcom, file: Path) -> None:
    """Write the state of a simulator."""
    document = {
        "consents": simulator.consents.saved(),
        "subscriptions": [asdict(each) for each in simulator.subscriptions.listed()],
        "added": {
            user: [asdict(each) for each in added] for user, added in simulator.archive.added().items()
        },
    }
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(document))
    unfinished.replace(file)


def restore(simulator: SimulatedDexcom, file: Path) -> None:
    """Continue with the state of a file; without the file, start with new people."""
    if not file.exists():
        return
    document = json.loads(file.read_text())
    simulator.consents.restore(document["consents"])
    simulator.subscriptions.restore([WebhookSubscription(**each) for each in document["subscriptions"]])
    for user, added in document["added"].items():
        if person := simulator.person(user):
            records = [AddedRecord(DatedRecord(**each["dated"]), each["uploaded_s"]) for each in added]
            simulator.archive.add(person, records)
