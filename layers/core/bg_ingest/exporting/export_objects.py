"""
The objects of exports in an S3 bucket of their own: their names, and their removal.

The names contain no user id, because they are seen in links.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bg_ingest.exporting.export_file import ExportRequest
    from bg_ingest.exporting.export_job import ExportJob, ExportKey
    from bg_ingest.exporting.export_jobs import ExportJobs


USERS = "user/"  # The beginning of all keys.
_MANIFEST = "manifest.json"
REMOVAL_RESERVE_S = 5.0  # The time for the objects of one more batch of users.
_DELETED_AT_ONCE_MAX = 1_000  # S3's limit.
_USERS_AT_ONCE = 25  # DynamoDB's limit of one batch.


class NotRemoved(Exception):
    """S3 has not deleted some objects. Deleting again is safe."""


@dataclass(frozen=True, slots=True)
class ExportObjects:
    """The bucket; all keys that are about one user begin with the prefix of the user."""

    client: Any  # aws.s3_client.S3Client, or boto3's.
    bucket: str

    def put(self, key: str, content: bytes, media_type: str) -> None:
        """Store an object."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType=media_type)

    def link(self, key: str, file_name: str, valid_s: int) -> str:
        """A URL that opens the object without a token, for this time."""
        disposition = f'attachment; filename="{file_name}"'
        parameters = {"Bucket": self.bucket, "Key": key, "ResponseContentDisposition": disposition}
        link: str = self.client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=valid_s)
        return link

    def remove_all_of(self, user_id: str) -> int:
        """Delete every object that is about one user, and return how many."""
        removed = 0
        for keys in self._pages(user_prefix(user_id)):
            self.remove(keys)
            removed += len(keys)
        return removed

    def remove(self, keys: Sequence[str]) -> None:
        """Delete these objects, which need not exist; raises NotRemoved if some could not be deleted."""
        for first in range(0, len(keys), _DELETED_AT_ONCE_MAX):
            named = [{"Key": key} for key in keys[first : first + _DELETED_AT_ONCE_MAX]]
            request = {"Objects": named, "Quiet": True}
            answer = self.client.delete_objects(Bucket=self.bucket, Delete=request)
            if answer.get("Errors"):
                raise NotRemoved(f"{len(answer['Errors'])} objects could not be deleted")

    def _pages(self, prefix: str) -> Iterator[list[str]]:
        request = {"Bucket": self.bucket, "Prefix": prefix}
        while True:
            page = self.client.list_objects_v2(**request)
            yield [entry["Key"] for entry in page.get("Contents", [])]
            if "NextContinuationToken" not in page:
                return
            request["ContinuationToken"] = page["NextContinuationToken"]


@dataclass(frozen=True, slots=True)
class ExportRemoval:
    """Removes exports with the record of their objects; no process works on a removed export any more."""

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


def user_prefix(user_id: str) -> str:
    """The beginning of all keys that are about one user; it does not contain the id."""
    return f"{USERS}{hashlib.sha256(f'bg-ingest/export/{user_id}'.encode()).hexdigest()[:32]}/"


def name_in_manifest(user_id: str, request: ExportRequest) -> str:
    """The name of a file: the user's pseudonym as a folder, and the file's name."""
    return _folder(user_id) + request.file_name


def object_key(job: ExportJob, name: str) -> str:
    """The key of the object with this name in the manifest."""
    pseudonym, _, file_name = name.partition("/")
    return f"{USERS}{pseudonym}/exports/{job.key.export_id}/{file_name}"


def manifest_key(job: ExportJob, user_id: str) -> str:
    """The key of the manifest of one user's files."""
    return object_key(job, _folder(user_id) + _MANIFEST)


def object_keys(job: ExportJob, user_id: str) -> list[str]:
    """Every key that the export can have about a user, whether the object was recorded or not."""
    requests = [job.span.request(user_id, start, end) for start, end in job.span.months()]
    names = [name_in_manifest(user_id, request) for request in requests]
    return [*(object_key(job, name) for name in names), manifest_key(job, user_id)]


def _folder(user_id: str) -> str:
    return user_prefix(user_id).removeprefix(USERS)
