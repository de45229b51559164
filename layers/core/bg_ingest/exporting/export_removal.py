"""Removing an export: its objects, and the record of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.exporting.export_names import object_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.exporting.export_job import ExportKey
    from bg_ingest.exporting.export_jobs import ExportJobs
    from bg_ingest.exporting.export_objects import ExportObjects

REMOVAL_RESERVE_S = 5.0  # The time for the objects of one more batch of users.
_USERS_AT_ONCE = 25  # DynamoDB's limit of one batch.


@dataclass(frozen=True, slots=True)
class ExportRemoval:
    """Removes exports; no process works on a removed export any more."""

    jobs: ExportJobs
    objects: ExportObjects

    def remove(self, key: ExportKey, time_left_s: Callable[[], float]) -> bool:
        """Remove all objects of an export; False if there was no time for all. Repeating it is safe."""
        job = self.jobs.get(key)
        after = ""
        while job and (user_ids := list(islice(self.jobs.users_of(key, after), _USERS_AT_ONCE))):
            if time_left_s() < REMOVAL_RESERVE_S:
                return False
            self.objects.remove([each for user_id in user_ids for each in object_keys(job, user_id)])
            self.jobs.remove_files(user_ids, key.export_id)
            after = user_ids[-1]
        return True
