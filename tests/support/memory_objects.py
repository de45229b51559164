"""S3 in memory: the operations that exports use, with calls as boto3 makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class MemoryObjects:
    """The objects of one bucket, by their keys."""

    found: dict[str, bytes] = field(default_factory=dict)

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """Store an object."""
        self.found[Key] = Body
        return {}

    def delete_objects(self, *, Delete: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """Delete objects, which need not exist."""
        assert len(Delete["Objects"]) <= 1_000
        for entry in Delete["Objects"]:
            self.found.pop(entry["Key"], None)
        return {}

    def list_objects_v2(self, *, Prefix: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """One page with all keys."""
        return {"Contents": [{"Key": key} for key in sorted(self.found) if key.startswith(Prefix)]}

    def generate_presigned_url(self, operation: str, *, Params: dict[str, str], ExpiresIn: int) -> str:  # noqa: N803 - boto3's.
        """A link, which only names its object."""
        return f"https://bucket.example.org/{Params['Key']}?{operation}&{ExpiresIn}"
