"""The objects of exports, in an S3 bucket of their own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USERS = "user/"  # The beginning of all keys.
_DELETED_AT_ONCE_MAX = 1_000  # S3's limit.


class NotRemoved(Exception):
    """S3 has not deleted some objects. Deleting again is safe."""


@dataclass(frozen=True, slots=True)
class ExportObjects:
    """The bucket; all keys that are about one user begin with the prefix of the user."""

    client: Any  # boto3's S3 client.
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
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            yield [entry["Key"] for entry in page.get("Contents", [])]


def user_prefix(user_id: str) -> str:
    """The beginning of all keys that are about one user; it does not contain the id."""
    return f"{USERS}{hashlib.sha256(f'bg-ingest/export/{user_id}'.encode()).hexdigest()[:32]}/"
