"""The emulated AWS: its address, the environment it is started in, and clients for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local.paths import CHECKOUT, EMULATOR_BIN
from local.ports import HOST

if TYPE_CHECKING:
    from pathlib import Path

REGION = "eu-west-1"
# Twelve digits: the emulator takes such a key for the account's own root, also while it enforces IAM.
ACCOUNT = "000000000000"


@dataclass(frozen=True, slots=True)
class Emulator:
    """An emulated AWS on one port of this machine."""

    port: int
    enforces_iam: bool = False

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def command(self) -> list[str]:
        """What to run."""
        # -P: modules of ministack's own are not to be found in this folder.
        return [str(EMULATOR_BIN / "python"), "-P", str(CHECKOUT / "local" / "emulated_aws.py")]

    def environ(self, temporary: Path) -> dict[str, str]:
        """Only what it needs: functions inherit this, so nothing of the person's own may be in it."""
        return {
            "PATH": f"{EMULATOR_BIN}:/usr/bin:/bin",
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "STATE_DIR": str(temporary / "state"),  # It keeps keys in one even when it keeps nothing else.
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "AUTH": "true" if self.enforces_iam else "false",
            "IOT_MTLS_ENABLED": "0",  # It would listen on a fixed port of its own.
            "LOG_LEVEL": "INFO",
        }

    def credentials(self) -> dict[str, str]:
        """What a program needs in its environment to reach this AWS and no other."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self, service: str) -> Any:
        """A client for one of its services."""
        return boto3.client(  # type: ignore[call-overload]  # noqa: TID251 - the local cloud is not wired by the service. The stubs want a literal name.
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",  # noqa: S106 - the emulator accepts any.
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=60, read_timeout=60),
        )
