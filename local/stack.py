"""The addresses and tokens of a running local cloud, as stored in .local/stack.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from local.callers import Callers
from local.demo import Grant
from local.emulator import Emulator
from local.errors import CannotStart
from local.paths import write_private

if TYPE_CHECKING:
    from local.paths import StateFolder


@dataclass(frozen=True, slots=True)
class Stack:
    """The data that a program needs to use a running local cloud."""

    api: str
    dexcom: str
    readings_table: str
    users_table: str
    intake_table: str
    queue_url: str
    dead_queue_url: str
    event_bus: str
    exports_bucket: str
    demo_user_id: str
    demo_token: str
    service_token: str
    webhook_secret: str  # The secret that webhooks are signed with.
    grant: Grant  # The read access of a reader to the demo user's data.
    simulated: bool  # Dexcom is the built-in simulator, and the demo user is connected to it.
    emulator: Emulator
    callers: Callers

    @property
    def page(self) -> str:
        """The address of the page."""
        return f"{self.api}/"

    @property
    def demo_page(self) -> str:
        """The link that signs the demo user in to the page."""
        return f"{self.api}/signin?login_hint={self.demo_user_id}"

    @property
    def aws_endpoint(self) -> str:
        """The address of the emulated AWS."""
        return self.emulator.endpoint

    def save(self, state: StateFolder) -> None:
        """Write the file. Its documented members come first; `internal` is for this package only."""
        document = {
            "api": self.api,
            "page": self.page,
            "demo_page": self.demo_page,
            "dexcom": self.dexcom,
            "aws_endpoint": self.emulator.endpoint,
            "region": self.callers.pool_id.partition("_")[0],
            "readings_table": self.readings_table,
            "users_table": self.users_table,
            "intake_table": self.intake_table,
            "queue_url": self.queue_url,
            "dead_queue_url": self.dead_queue_url,
            "event_bus": self.event_bus,
            "exports_bucket": self.exports_bucket,
            "demo": {"user_id": self.demo_user_id, "token": self.demo_token},
            "grant": asdict(self.grant),
            "service_token": self.service_token,
            "webhook_secret": self.webhook_secret,
            "internal": {
                "simulated": self.simulated,
                "emulator": asdict(self.emulator),
                **_pool(self.callers),
            },
        }
        # For `curl -H @file`, which keeps the token out of the shell's history.
        write_private(state.demo_header, f"Authorization: Bearer {self.demo_token}\n")
        # Written to another file and renamed, so that no waiting program reads a part of it.
        unfinished = state.stack_file.with_suffix(".rest")
        write_private(unfinished, json.dumps(document, indent=2) + "\n")
        unfinished.replace(state.stack_file)


def load(state: StateFolder) -> Stack:
    """Load the running cloud of this state folder."""
    if not state.stack_file.exists():
        raise CannotStart("Nothing is running here: start it with 'make up'.")
    document: dict[str, Any] = json.loads(state.stack_file.read_text())
    internal = document["internal"]
    emulator = Emulator(**internal["emulator"])
    pool = {name: internal[name] for name in ("pool_id", "person_client_id", "service_client_id")}
    return Stack(
        **{
            name: document[name]
            for name in ("api", "dexcom", "readings_table", "users_table", "intake_table")
        },
        queue_url=document["queue_url"],
        dead_queue_url=document["dead_queue_url"],
        event_bus=document["event_bus"],
        exports_bucket=document["exports_bucket"],
        demo_user_id=document["demo"]["user_id"],
        demo_token=document["demo"]["token"],
        grant=Grant(**document["grant"]),
        service_token=document["service_token"],
        webhook_secret=document["webhook_secret"],
        simulated=internal["simulated"],
        emulator=emulator,
        callers=Callers(emulator=emulator, **pool),
    )


def _pool(callers: Callers) -> dict[str, str]:
    return {
        "pool_id": callers.pool_id,
        "person_client_id": callers.person_client_id,
        "service_client_id": callers.service_client_id,
    }
