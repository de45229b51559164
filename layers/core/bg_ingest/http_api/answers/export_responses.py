"""The responses about an export, of one user or of many."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from bg_ingest import problems, telemetry
from bg_ingest.exporting.export_job import UNFINISHED_MAX, ExportKey, of_service
from bg_ingest.exporting.export_service import ExportCaller, ExportPage, TooManyExports
from bg_ingest.exporting.user_list import UserCursorInvalid, decode_user, encode_user
from bg_ingest.http_api import responding, serving
from bg_ingest.http_api.answers.export_json import export_as_json, wanted_span
from bg_ingest.problems import Problem, invalid_field

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

    from bg_ingest.exporting.export_service import ExportService
    from bg_ingest.http_api.answers.export_json import ExportJobRequest
    from bg_ingest.http_api.serving import ApiSettings


@dataclass(frozen=True, slots=True)
class ExportResponses:
    """The responses about an export, of one user or of many."""

    app: APIGatewayHttpResolver
    exports: ExportService
    api: ApiSettings

    def ordered(
        self, owner: str, body: ExportJobRequest, path: str, user_ids: list[str] | None
    ) -> Response[str]:
        """Order an export."""
        now = self.exports.clock.now()
        span = wanted_span(body, now, self.exports.retention_days)
        action: str = self.app.current_event.raw_event["routeKey"]
        actor = serving.caller(self.app, self.api).actor
        try:
            caller = ExportCaller(actor, action, telemetry.correlation_id())
            job = self.exports.order(owner, span, caller, user_ids)
        except TooManyExports:
            detail = f"At most {UNFINISHED_MAX} exports run at a time. Wait until one ends, or remove one."
            raise Problem(problems.TOO_MANY_EXPORTS, detail) from None
        url = responding.public_address(self.app, self.api, f"{path}/{job.key.export_id}")
        body_shown = export_as_json(job, ExportPage((), None), self.exports.objects, now)
        return responding.json_response(body_shown, HTTPStatus.ACCEPTED, {"Location": url})

    def shown(self, key: ExportKey, limit: int, cursor: str | None) -> Response[str]:
        """Show an export and a page of its files."""
        job = self.exports.get(key)
        if job is None:
            raise _unknown()
        page = self.exports.page(key, user_after(cursor), limit)
        following = {"limit": str(limit), "cursor": encode_user(page.last)} if page.last else None
        link = responding.next_link(self.app, self.api, following)
        body = export_as_json(job, page, self.exports.objects, self.exports.clock.now())
        return responding.json_response(body, headers=link)

    def removed(self, key: ExportKey) -> Response[str]:
        """Remove an export."""
        if not self.exports.remove(key, self._time_left_s):
            raise _unknown()
        return Response(HTTPStatus.NO_CONTENT, body="", headers=responding.NO_STORE)

    def owner(self) -> str:
        """The partition of the exports of the service that calls."""
        return of_service(serving.caller(self.app, self.api).actor)

    def _time_left_s(self) -> float:
        left_ms: int = self.app.lambda_context.get_remaining_time_in_millis()
        return left_ms / 1000


def user_after(cursor: str | None) -> str:
    """Parse the cursor of a list of users; raise 422 for any other text."""
    try:
        return decode_user(cursor) if cursor is not None else ""
    except UserCursorInvalid:
        raise invalid_field("cursor", "was not issued by this API") from None


def _unknown() -> Problem:
    return Problem(problems.NOT_FOUND, "There is no export with this id, or it was removed or has expired.")
