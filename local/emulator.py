"""The emulated AWS: its address, its command and environment, and clients for it."""

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
# The emulator treats an access key of twelve digits as the root user of that account, also with IAM.
ACCOUNT = "000000000000"


@dataclass(frozen=True, slots=True)
class Emulator:
    """An emulated AWS on one port of this machine."""

    port: int
    enforces_iam: bool = False

    @property
    def endpoint(self) -> str:
        """The address of its API."""
        return f"http://{HOST}:{self.port}"

    @property
    def command(self) -> list[str]:
        """The command that starts it."""
        # -P keeps this folder off the import path, so that no module here replaces one of ministack.
        return [str(EMULATOR_BIN / "python"), "-P", str(CHECKOUT / "local" / "emulated_aws.py")]

    def environ(
        self, temporary: Path, kept: Path | None = None, live_code: Path | None = None
    ) -> dict[str, str]:
        """
        Its environment. Functions inherit it, so it contains no variable of the user's shell.

        In `kept` it stores everything when it ends, and finds it at its next start. The functions run the
        code of the checkout `live_code`; None: as deployed.
        """
        storing = {"PERSIST_STATE": "1", "S3_PERSIST": "1", "S3_DATA_DIR": str(kept / "s3")} if kept else {}
        return {
            "PATH": f"{EMULATOR_BIN}:/usr/bin:/bin",
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            # It stores keys here even if it stores no other state.
            "STATE_DIR": str(kept / "aws" if kept else temporary / "state"),
            **storing,
            **({"LIVE_CODE": str(live_code)} if live_code else {}),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "AUTH": "true" if self.enforces_iam else "false",
            "IOT_MTLS_ENABLED": "0",  # Otherwise it listens on another, fixed port.
            "LOG_LEVEL": "INFO",
        }

    def credentials(self) -> dict[str, str]:
        """The environment variables that make a program use this AWS and no other."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self, service: str) -> Any:
        """A boto3 client for one of its services."""
        return boto3.client(  # type: ignore[call-overload]  # noqa: TID251 - not part of the service. The stubs require a literal name.
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",  # noqa: S106 - the emulator accepts any.
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=60, read_timeout=60),
        )
