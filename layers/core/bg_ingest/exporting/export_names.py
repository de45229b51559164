"""The names of an export's files and objects. They contain no user id, because names are seen in links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.exporting.export_objects import USERS, user_prefix

if TYPE_CHECKING:
    from bg_ingest.exporting.export_file import ExportRequest
    from bg_ingest.exporting.export_job import ExportJob

_MANIFEST = "manifest.json"


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
