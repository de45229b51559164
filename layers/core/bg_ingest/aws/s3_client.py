"""
A client of S3 with the four operations that are used here.

Its methods are those of boto3's client, with the same arguments, responses and exceptions. botocore's S3
reads the description of a hundred other operations at each cold start.
"""

# ruff: noqa: N803 - the arguments have S3's names.

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError

from bg_ingest.aws.aws_json import metadata
from bg_ingest.aws.signature import Target, sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import urllib3

    from bg_ingest.aws.aws_http import AwsHttp

_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@dataclass(frozen=True, slots=True)
class S3Client:
    """The buckets of one region."""

    http: AwsHttp
    by_host: bool  # The bucket is named in the host, as AWS wants it, and not in the path.

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str,
        ChecksumAlgorithm: str = "SHA256",
    ) -> dict[str, Any]:
        """Store an object; S3 compares what it received with the checksum."""
        if ChecksumAlgorithm != "SHA256":
            raise ValueError(f"no checksum by {ChecksumAlgorithm}")
        headers = {
            "Content-Type": ContentType,
            "X-Amz-Checksum-Sha256": b64encode(sha256(Body)).decode(),
            "X-Amz-Sdk-Checksum-Algorithm": ChecksumAlgorithm,
        }
        response = self._send("PutObject", Bucket, Target("PUT", _path(Key)), Body, headers)
        return {"ResponseMetadata": metadata(response)}

    def list_objects_v2(self, *, Bucket: str, Prefix: str, ContinuationToken: str = "") -> dict[str, Any]:
        """One page of the keys with this beginning."""
        query = {"list-type": "2", "prefix": Prefix}
        if ContinuationToken:
            query["continuation-token"] = ContinuationToken
        response = self._send("ListObjectsV2", Bucket, Target("GET", query=query))
        found = ET.fromstring(response.data)  # noqa: S314 - S3's own answer.
        page: dict[str, Any] = {"Contents": [{"Key": key} for key in _texts(found, "Contents", "Key")]}
        for token in _texts(found, "NextContinuationToken"):
            page["NextContinuationToken"] = token
        return page

    def delete_objects(self, *, Bucket: str, Delete: Mapping[str, Any]) -> dict[str, Any]:
        """Delete up to a thousand objects; `Errors` has those that were not deleted."""
        named = "".join(f"<Object><Key>{escape(each['Key'])}</Key></Object>" for each in Delete["Objects"])
        quiet = "<Quiet>true</Quiet>" if Delete.get("Quiet") else ""
        body = f'<Delete xmlns="{_NAMESPACE[1:-1]}">{named}{quiet}</Delete>'.encode()
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        headers = {"Content-MD5": b64encode(digest).decode(), "Content-Type": "application/xml"}
        response = self._send("DeleteObjects", Bucket, Target("POST", query={"delete": ""}), body, headers)
        found = ET.fromstring(response.data)  # noqa: S314 - S3's own answer.
        return {"Errors": [{"Code": code} for code in _texts(found, "Error", "Code")]}

    def generate_presigned_url(self, operation: str, *, Params: Mapping[str, str], ExpiresIn: int) -> str:
        """A URL that opens one object without a token, for so many seconds."""
        if operation != "get_object":
            raise ValueError(f"no links for {operation}")
        query = {"response-content-disposition": Params["ResponseContentDisposition"]}
        http, target = self._at(Params["Bucket"], Target("GET", _path(Params["Key"]), query))
        host = urlsplit(http.endpoint).netloc
        signed = http.signer.link_query(target, host, ExpiresIn, http.clock.now())
        return f"{http.endpoint}{target.path}?{signed}"

    def _send(
        self,
        operation: str,
        bucket: str,
        target: Target,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        http, target = self._at(bucket, target)
        hashed = {"X-Amz-Content-Sha256": sha256(body).hex()}
        return http.send(target, {**(headers or {}), **hashed}, body, _error_of(operation))

    def _at(self, bucket: str, target: Target) -> tuple[AwsHttp, Target]:
        if self.by_host:
            return replace(self.http, endpoint=self.http.endpoint.replace("://", f"://{bucket}.", 1)), target
        return self.http, replace(target, path=f"/{bucket}{target.path}")


def _path(key: str) -> str:
    return "/" + quote(key, safe="/-_.~")


def _error_of(operation: str) -> Callable[[urllib3.BaseHTTPResponse], ClientError]:
    def error_of(response: urllib3.BaseHTTPResponse) -> ClientError:
        try:
            found = ET.fromstring(response.data)  # noqa: S314 - S3's own answer.
            code, message = found.findtext("Code", ""), found.findtext("Message", "")
        except ET.ParseError:  # An error of a load balancer is HTML.
            code, message = "", ""
        error = {"Code": code or str(response.status), "Message": message}
        return ClientError({"Error": error, "ResponseMetadata": metadata(response)}, operation)  # type: ignore[typeddict-item]  # botocore's has more members.

    return error_of


def _texts(document: ET.Element, *names: str) -> Iterator[str]:
    """The texts at this path; some replacements of S3 leave its namespace away."""
    for namespace in (_NAMESPACE, ""):
        for each in document.iterfind("/".join(namespace + name for name in names)):
            yield each.text or ""
