"""The sessions of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.accounts.sealing import Purpose
from bg_ingest.signing_in.session import Sessions
from bg_ingest.wiring.access.sealing_parts import sealer
from bg_ingest.wiring.process import users_table

if TYPE_CHECKING:
    from bg_ingest.accounts.sealing import Sealer
    from bg_ingest.wiring.process import Process


def sessions(own: Process) -> Sessions:
    """The sessions of the page."""
    return Sessions(own.part(page_sealer), own.part(users_table), own.clock)


def page_sealer(own: Process) -> Sealer:
    """The seals of the page's cookies."""
    return sealer(own, Purpose.PAGE)
