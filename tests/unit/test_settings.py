import pytest

from bg_ingest.settings import Environment, Settings, SettingsInvalid, load
from tests.support.leaks import WEBHOOK_SECRET

STRICT = {
    "ENVIRONMENT": "production",
    "DYNAMODB_TABLE": "readings",
    "USERS_TABLE": "users",
    "INTAKE_TABLE": "intake",
    "DEXCOM_API_BASE_URL": "https://api.dexcom.com",
    "DEXCOM_REDIRECT_URI": "https://bg.example.org/oauth/callback",
    "SECRET_NAME": "bg-ingest/prod/dexcom",
}


def _environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_development_needs_no_settings() -> None:
    """A fresh clone works."""
    assert load().environment is Environment.DEVELOPMENT


def test_production_runs_with_everything_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/configuration.md asks for is enough."""
    _environment(monkeypatch, **STRICT)

    assert load().secret_name == "bg-ingest/prod/dexcom"


@pytest.mark.parametrize("name", sorted(STRICT.keys() - {"ENVIRONMENT"}))
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_outside_development_a_missing_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, environment: str
) -> None:
    """The line says which one is missing."""
    _environment(monkeypatch, **{**STRICT, "ENVIRONMENT": environment, name: ""})

    with pytest.raises(SettingsInvalid, match=f"^{name} is required in {environment}$"):
        load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEXCOM_CLIENT_SECRET", "in-the-clear"),
        ("DEXCOM_API_BASE_URL", "http://api.dexcom.com"),
        ("DEXCOM_REDIRECT_URI", "http://bg.example.org/oauth/callback"),
        ("DYNAMODB_ENDPOINT", "http://127.0.0.1:8000"),
        ("WEBHOOK_SECRETS", WEBHOOK_SECRET),
        ("WEBHOOK_JWKS_URL", "http://sender.example.org/keys"),
        ("RABBITMQ_URL", "amqps://guest:hunter2@broker.example.org"),
    ],
)
def test_outside_development_an_insecure_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A secret in the environment, plain HTTP and a stand-in for DynamoDB are refused."""
    _environment(monkeypatch, **{**STRICT, "WEBHOOK_AUDIENCE": "bg-ingest", name: value})

    with pytest.raises(SettingsInvalid, match=name):
        load()


def test_keys_of_webhooks_need_an_audience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token for another audience must not be accepted."""
    _environment(monkeypatch, WEBHOOK_JWKS_URL="https://sender.example.org/keys")

    with pytest.raises(SettingsInvalid, match=r"^WEBHOOK_AUDIENCE is required with WEBHOOK_JWKS_URL$"):
        load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLL_INTERVAL_SECONDS", "abc"),
        ("POLL_INTERVAL_SECONDS", "90"),
        ("POLL_INTERVAL_SECONDS", "0"),
        ("RETENTION_DAYS", "-1"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_OUTPUT", "pigeon"),
        ("ENVIRONMENT", "prod"),
        ("USER_ID_CLAIM", "a claim"),
    ],
)
def test_a_value_that_cannot_be_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The line names the setting and does not repeat the value."""
    _environment(monkeypatch, **{name: value})

    with pytest.raises(SettingsInvalid) as refused:
        load()

    line = str(refused.value)
    assert line.startswith(f"{name}: ")
    assert "\n" not in line
    assert value not in line.split()


def test_a_secret_is_not_shown_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings in an error message hide the client secret."""
    _environment(monkeypatch, DEXCOM_CLIENT_SECRET="hunter2", WEBHOOK_SECRETS=WEBHOOK_SECRET)

    assert "hunter2" not in repr(load())
    assert "whsec_" not in repr(load())


def test_settings_come_from_a_dotenv_file_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The environment wins over the file."""
    folder = tmp_path_factory.mktemp("settings")
    (folder / ".env").write_text("POLL_INTERVAL_SECONDS=300\nRETENTION_DAYS=30\n")
    monkeypatch.setitem(Settings.model_config, "env_file", folder / ".env")
    _environment(monkeypatch, RETENTION_DAYS="60")

    assert (load().poll_interval_seconds, load().retention_days) == (300, 60)
