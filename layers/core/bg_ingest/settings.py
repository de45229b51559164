"""
The service's settings: typed, from the environment and `.env`.

Development works with the defaults. Staging and production stop if a setting is missing or insecure. An
operator repairs a service that stops with a setting's name in a minute; one that half works loses readings.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

# The intervals a user may choose. The default need not be one of them.
POLL_INTERVALS_S = frozenset({300, 900, 1_800, 3_600, 21_600, 86_400})
# The names of the providers, as `wiring` binds them; the description of the API lists them.
PROVIDER_NAMES = ("dexcom", "nightscout")
# Settings that outside development are only in Secrets Manager, and the setting that names the secret.
_IN_SECRETS_ONLY = {
    "dexcom_client_secret": "SECRET_NAME",
    "webhook_secrets": "WEBHOOK_SECRET_NAME",
    "rabbitmq_url": "RABBITMQ_SECRET_NAME",
}


class Environment(StrEnum):
    """The deployment stage."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class SettingsInvalid(Exception):
    """Carries one line that names each invalid setting, and never a value."""


def _whole_minutes(interval_s: int) -> int:
    if interval_s % 60:
        raise ValueError("must be whole minutes: the dispatcher ticks once a minute")
    return interval_s


class Settings(BaseSettings):
    """All settings; docs/configuration.md explains each."""

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
    intake_table: str = "bg-ingest-intake"
    # Orders of webhooks and callers; polls; histories and reconciliations. If one of the latter two is not
    # set, then its orders go to the first.
    jobs_queue_url: str = "http://127.0.0.1:4566/000000000000/bg-ingest-jobs"
    exports_bucket: str = "bg-ingest-exports"
    audit_archive_bucket: str = "bg-ingest-audit-archive"
    polls_queue_url: str | None = None
    bulk_queue_url: str | None = None
    # The dispatcher's messages to itself.
    shards_queue_url: str = "http://127.0.0.1:4566/000000000000/bg-ingest-shards"
    exports_queue_url: str = "http://127.0.0.1:4566/000000000000/bg-ingest-exports"
    erasures_queue_url: str = "http://127.0.0.1:4566/000000000000/bg-ingest-erasures"
    # The queues of the operator's page, as `name=address of the queue|address of its dead-letter queue`.
    status_queues: str = ""
    # The address that the canary checks if there is no public one.
    canary_api: str = "http://127.0.0.1:5001"
    # The users whose session opens the operator's page, separated by commas.
    operator_ids: str = ""
    tokens_key_id: str = "alias/bg-ingest-tokens"
    stack_name: str = "bg-ingest"  # Where the parameter with the page's client is.

    # Where events go: to RabbitMQ if one of the latter two is set, otherwise to the bus.
    event_bus_name: str = "bg-ingest-events"
    rabbitmq_url: SecretStr | None = None
    rabbitmq_secret_name: str | None = None
    # The secret from which event ids are computed, so that an id confirms no guessed user.
    event_ids_secret_name: str | None = None
    # The queue for stream records that cannot be published.
    dead_publishes_queue_url: str = "http://127.0.0.1:4566/000000000000/bg-ingest-dead-publishes"

    dexcom_api_base_url: str = "https://sandbox-api.dexcom.com"
    dexcom_client_id: str = "local-client"
    dexcom_client_secret: SecretStr = SecretStr("local-secret")
    dexcom_redirect_uri: str = "http://127.0.0.1:5001/oauth/callback"
    # The path for webhook subscriptions; Dexcom documents none.
    dexcom_subscriptions_path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$")] | None = None
    # Calls to Dexcom: of each process a minute, of all processes an hour.
    dexcom_calls_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 100
    dexcom_calls_per_hour: Annotated[int, Field(ge=60, le=100_000_000)] = 60_000
    # The circuit opens at this share of failed calls, of at least so many; then it waits so long.
    breaker_failure_percent: Annotated[int, Field(ge=1, le=100)] = 50
    breaker_calls_min: Annotated[int, Field(ge=2, le=10_000)] = 20
    breaker_recovery_seconds: Annotated[int, Field(ge=1, le=3_600)] = 30
    secret_name: str | None = None

    # Senders of webhooks: holders of a secret (two, separated by a comma, during a rotation), or of a key in
    # this key set whose tokens name this audience.
    webhook_secret_name: str | None = None
    webhook_secrets: SecretStr = SecretStr("")
    webhook_jwks_url: str | None = None
    webhook_audience: str | None = None

    # The public address of the API; empty: the gateway's own address.
    public_url: str | None = None
    # Addresses that a login may return to, separated by commas.
    return_urls: str = ""

    poll_interval_seconds: Annotated[int, Field(ge=60, le=86_400), AfterValidator(_whole_minutes)] = 900
    # Into how many shards the users of one poll slot are divided. A shard should have a few thousand users at
    # most: 1 is enough for 30,000 users at 900 s, 64 for two millions.
    poll_shards: Annotated[int, Field(ge=1, le=99)] = 1
    retention_days: Annotated[int, Field(ge=1, le=3_650)] = 730
    audit_days: Annotated[int, Field(ge=1, le=3_650)] = 365
    backfill_days_max: Annotated[int, Field(ge=1, le=3_650)] = 90
    # Per caller, and of webhooks per user. The gateway's own throttling covers all callers together.
    connections_per_hour_max: Annotated[int, Field(ge=1, le=10_000)] = 20
    syncs_per_minute_max: Annotated[int, Field(ge=1, le=10_000)] = 30
    writes_per_minute_max: Annotated[int, Field(ge=1, le=10_000)] = 120
    webhooks_per_minute_max: Annotated[int, Field(ge=1, le=100_000)] = 120
    # Subjects of service tokens, separated by commas; the scopes of every other token are ignored.
    service_client_ids: str = ""
    user_id_claim: Annotated[str, Field(pattern=r"^[A-Za-z0-9:_-]{1,64}$")] = "sub"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic's signature.
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above.
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave out an empty or missing `.env`: a search in it takes as long as one in the environment."""
        assert isinstance(dotenv_settings, DotEnvSettingsSource)  # noqa: S101 - pydantic guarantees it.
        files = (dotenv_settings,) if dotenv_settings.env_vars else ()
        return init_settings, env_settings, *files

    @property
    def page_client_parameter(self) -> str:
        """The parameter with the page's client at its OpenID Connect issuer."""
        return f"/{self.stack_name}/page-client"

    @property
    def shared_calls_per_hour(self) -> int:
        """The provider's quota, which the polls of all users share."""
        return self.dexcom_calls_per_hour

    @property
    def intervals_s(self) -> frozenset[int]:
        """All polling intervals that users can have."""
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
            "intake_table",
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
        for name, holder in _IN_SECRETS_ONLY.items():
            if name in self.model_fields_set:
                raise ValueError(f"{name.upper()} must not be set in {self.environment}; {holder} holds it")

    def _speaks_https(self) -> None:
        for name in ("dexcom_api_base_url", "dexcom_redirect_uri", "webhook_jwks_url"):
            address: str | None = getattr(self, name)
            if address is not None and not address.startswith("https://"):
                raise ValueError(f"{name.upper()} must start with https:// in {self.environment}")


def load() -> Settings:
    """Read the environment; raises SettingsInvalid."""
    try:
        return Settings()
    except ValidationError as error:
        # Not `from error`: pydantic's own message repeats the value, which may be a secret.
        raise SettingsInvalid("; ".join(_line(dict(fault)) for fault in error.errors())) from None


def _line(fault: dict[str, object]) -> str:
    location = fault["loc"]
    assert isinstance(location, tuple)  # noqa: S101 - pydantic guarantees it.
    name = ".".join(str(part) for part in location).upper()
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
