"""The jobs queue of a whole service: at least once, with delays, and dead letters in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.fakes import FakeClock

VISIBILITY_S, RECEIVES_MAX = 720, 5  # As in template.yaml.


@dataclass(eq=False)
class Message:
    """One message."""

    number: int
    body: str
    visible_at_s: float
    received: int = 0


@dataclass
class Queue:
    """As much of SQS as the service uses; its time is one that no step of the clock moves."""

    clock: FakeClock
    messages: dict[str, Message] = field(default_factory=dict)
    dead: list[Message] = field(default_factory=list)
    longest: int = 0
    _count: int = 0

    def send_message_batch(self, *, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """Take all of them."""
        for entry in Entries:
            self._count += 1
            visible_at_s = self.clock.monotonic_s() + entry["DelaySeconds"]
            self.messages[str(self._count)] = Message(self._count, entry["MessageBody"], visible_at_s)
        self.longest = max(self.longest, len(self.messages))
        return {}

    def change_message_visibility(self, *, ReceiptHandle: str, VisibilityTimeout: int, **_: Any) -> None:  # noqa: N803 - boto3's.
        """Hide a message for that long."""
        self.messages[ReceiptHandle].visible_at_s = self.clock.monotonic_s() + VisibilityTimeout

    def receive(self, messages_max: int) -> list[Message]:
        """The oldest that can be seen, hidden from now on."""
        now_s = self.clock.monotonic_s()
        found = [one for one in self.messages.values() if one.visible_at_s <= now_s][:messages_max]
        for message in found:
            message.received += 1
            message.visible_at_s = now_s + VISIBILITY_S
            if message.received > RECEIVES_MAX:
                self.dead.append(self.messages.pop(str(message.number)))
        return [message for message in found if message.received <= RECEIVES_MAX]

    def delete(self, message: Message) -> None:
        """It is done."""
        del self.messages[str(message.number)]
