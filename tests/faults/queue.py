"""The jobs queue of the whole service: at-least-once delivery, delays and dead letters."""

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
    """The part of SQS that the service uses, with a clock that never steps."""

    clock: FakeClock
    messages: dict[str, Message] = field(default_factory=dict)
    dead: list[Message] = field(default_factory=list)
    longest: int = 0
    _count: int = 0

    def send_message_batch(self, *, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """Accept all messages."""
        for entry in Entries:
            self._count += 1
            visible_at_s = self.clock.monotonic_s() + entry["DelaySeconds"]
            self.messages[str(self._count)] = Message(self._count, entry["MessageBody"], visible_at_s)
        self.longest = max(self.longest, len(self.messages))
        return {}

    def change_message_visibility(self, *, ReceiptHandle: str, VisibilityTimeout: int, **_: Any) -> None:  # noqa: N803 - boto3's.
        """Hide a message for this time."""
        self.messages[ReceiptHandle].visible_at_s = self.clock.monotonic_s() + VisibilityTimeout

    def receive(self, messages_max: int) -> list[Message]:
        """Return the oldest visible messages and hide them."""
        now_s = self.clock.monotonic_s()
        found = [one for one in self.messages.values() if one.visible_at_s <= now_s][:messages_max]
        for message in found:
            message.received += 1
            message.visible_at_s = now_s + VISIBILITY_S
            if message.received > RECEIVES_MAX:
                self.dead.append(self.messages.pop(str(message.number)))
        return [message for message in found if message.received <= RECEIVES_MAX]

    def delete(self, message: Message) -> None:
        """Delete a processed message."""
        del self.messages[str(message.number)]
