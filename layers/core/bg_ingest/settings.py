"""
The service's settings: typed, from the environment and `.env`, read once.

Development works without any of them. Staging and production refuse to run with a missing or insecure one:
a service that stops with a setting's name is repaired in a minute, one that half works loses readings.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# What a user may choose from; the default for all need not be among them.
POLL_INTERVALS_S = frozenset({300, 900, 1_800, 3_600, 21_600, 86_400})


class Environment(StrEnum):
    """Where this runs."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class SettingsInvalid(Exception):
    """Carries one line that names every setting at fault, and never a value."""


def _whole_minutes(interval_s: int) -> int:
    if interval_s % 60:
        raise ValueError("must be whole minutes: the dispatcher ticks once a minute")
    return interval_s


class Settings(BaseSettings):
    """Every setting there is; docs/configuration.md explains each."""

    # Empty means "not set": a template parameter left empty arrives as an empty string.
    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    environment: Environment = Environment.DEVELOPMENT
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    # stdout, file:<path>, syslog+udp://<host>:<port> or syslog+tcp://<host>:<port>
    log_output: Annotated[str, Field(pattern=r"^(stdout|file:.+|syslog\+(udp|tcp)://[^/:]+(:\d+)?)$")] = (
        "stdout"
    )

    aws_lambda_function_name: str = ""  # Set by Lambda.
    aws_region: str = "eu-west-1"
    dynamodb_endpoint: str | None = None
    dynamodb_table: str = "bg-ingest-readings"
    users_table: str = "bg-ingest-users"
    jobs_queue_url: str = "http://127.0.0.1:4566/000000000000/bg-ingest-jobs"
    erasures_queue_url: str = "http://127.0.0.1:4566/000000000000/bg-ingest-erasures"
    tokens_key_id: str = "alias/bg-ingest-tokens"

    dexcom_api_base_url: str = "https://sandbox-api.dexcom.com"
    dexcom_client_id: str = "local-client"
    dexcom_client_secret: SecretStr = SecretStr("local-secret")
    dexcom_redirect_uri: str = "http://127.0.0.1:5001/oauth/callback"
    # Where a provider registers webhooks; Dexcom documents no such thing.
    dexcom_subscriptions_path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$")] | None = None
    secret_name: str | None = None

    # Who may send webhooks: holders of a secret (two, separated by a comma, while one replaces the other), or
    # of a key in this set, who name us by this audience.
    webhook_secrets: SecretStr = SecretStr("")
    webhook_jwks_url: str | None = None
    webhook_audience: str | None = None

    # Where callers reach the API; empty: at the address the gateway has.
    public_url: str | None = None
    # Addresses a person may be sent on to after the login, separated by commas.
    return_urls: str = ""

    poll_interval_seconds: Annotated[int, Field(ge=60, le=86_400), AfterValidator(_whole_minutes)] = 900
    retention_days: Annotated[int, Field(ge=1, le=3_650)] = 730
    audit_days: Annotated[int, Field(ge=1, le=3_650)] = 365
    backfill_days_max: Annotated[int, Field(ge=1, le=3_650)] = 90
    # For each caller, and of webhooks for each user; the gateway's own throttling is for all together.
    connections_per_hour_max: Annotated[int, Field(ge=1, le=10_000)] = 20
    syncs_per_minute_max: Annotated[int, Field(ge=1, le=10_000)] = 30
    webhooks_per_minute_max: Annotated[int, Field(ge=1, le=100_000)] = 120
    user_id_claim: Annotated[str, Field(pattern=r"^[A-Za-z0-9:_-]{1,64}$")] = "sub"

    @property
    def intervals_s(self) -> frozenset[int]:
        """Every polling interval a user can have."""
        return POLL_INTERVALS_S | {self.poll_interval_seconds}

    @model_validator(mode="after")
    def _keys_need_an_audience(self) -> Settings:
        if self.webhook_jwks_url and not self.webhook_audience:
            raise ValueError("WEBHOOK_AUDIENCE is required with WEBHOOK_JWKS_URL")
        return self

    @model_validator(mode="after")
    def _strict_outside_development(self) -> Settings:
        if self.environment is Environment.DEVELOPMENT:
            return self
        for name in (
            "dynamodb_table",
            "users_table",
            "dexcom_api_base_url",
            "dexcom_redirect_uri",
            "secret_name",
        ):
            if name not in self.model_fields_set:
                raise ValueError(f"{name.upper()} is required in {self.environment}")
        self._holds_secrets_elsewhere()
        self._speaks_https()
        if self.dynamodb_endpoint is not None:
            raise ValueError(f"DYNAMODB_ENDPOINT must not be set in {self.environment}")
        return self

    def _holds_secrets_elsewhere(self) -> None:
        for name in ("dexcom_client_secret", "webhook_secrets"):
            if name in self.model_fields_set:
                raise ValueError(
                    f"{name.upper()} must not be set in {self.environment}; SECRET_NAME holds it"
                )

    def _speaks_https(self) -> None:
        for name in ("dexcom_api_base_url", "dexcom_redirect_uri", "webhook_jwks_url"):
            address: str | None = getattr(self, name)
            if address is not None and not address.startswith("https://"):
                raise ValueError(f"{name.upper()} must start with https:// in {self.environment}")


def load() -> Settings:
    """Read the environment; raises SettingsInvalid with one line for a person."""
    try:
        return Settings()
    except ValidationError as error:
        # Not `from error`: pydantic's own message repeats the value, which may be a secret.
        raise SettingsInvalid("; ".join(_line(dict(fault)) for fault in error.errors())) from None


@cache
def settings() -> Settings:
    """The settings of this process."""
    return load()


def _line(fault: dict[str, object]) -> str:
    location = fault["loc"]
    assert isinstance(location, tuple)  # noqa: S101 - pydantic's promise.
    name = ".".join(str(part) for part in location).upper()
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
