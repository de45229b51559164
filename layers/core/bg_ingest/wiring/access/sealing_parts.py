"""The seals: of secrets for one purpose, and of the records in queue messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.accounts.sealing import DataKeys, MessageSeals, Purpose, Sealer
from bg_ingest.aws import aws_clients
from bg_ingest.wiring.process import intake_table

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process


def sealer(own: Process, purpose: Purpose) -> Sealer:
    """A new sealer of secrets for one purpose."""
    kms, settings = aws_clients.kms(own.settings.aws_region), own.settings
    return Sealer(DataKeys(kms, settings.tokens_key_id, settings.environment, own.clock, purpose=purpose))


def message_seals(own: Process) -> MessageSeals:
    """The seals of records in queue messages."""
    return MessageSeals(own.part(intake_table), sealer(own, Purpose.MESSAGES), own.clock)
