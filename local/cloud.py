"""Starts a local cloud step by step, and ends it without leftovers."""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import httpx

from local import demo
from local.callers import SCOPES, Callers
from local.deploy import SamCommand, deploy, start_build
from local.emulator import Emulator
from local.errors import CannotStart
from local.function_logs import save_function_lines
from local.gateway import create_routes
from local.kept import KeptCloud, forget_logs, load_kept, require_ports
from local.paths import CHECKOUT, PYTHONPATH
from local.ports import HOST, free_port, is_taken
from local.processes import Processes, uninterrupted
from local.progress import Progress
from local.running import fingerprint
from local.sign_in import CLIENT_ID as PAGE_CLIENT_ID
from local.stack import Stack
from local.waiting import wait_until
from local.webhook_sender import new_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local.paths import StateFolder

_STARTED_S_MAX = 180.0  # On a busy machine; a process that has ended is not waited for.
_SUBSCRIPTIONS_PATH = "/v3/users/self/subscriptions"  # Of the simulator; Dexcom has none.
OPERATOR = "operator"  # The user whose session opens the operator's page.
_SERVICE = "reporting"  # The name of the service that `service_token` is for.


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a local cloud."""

    port: int
    front_host: str = HOST  # Where the API listens; all other ports are on 127.0.0.1.
    enforce_iam: bool = False
    provider_url: str | None = None  # Another Dexcom than the simulator; the demo user is then not connected.
    poll_interval_seconds: str = "60"  # Each tick of the scheduler polls, so that changes are visible soon.
    log_level: str = "INFO"
    client_id: str = "local-client"
    client_secret: str = "local-secret"  # noqa: S105 - for the simulator only.
    simulator_arguments: tuple[str, ...] = ()
    nightscout_port: int | None = None  # Of a simulated Nightscout; None starts none.
    parameters: Mapping[str, str] = field(default_factory=dict)  # Further parameters of template.yaml.
    built: Path | None = None  # A finished SAM build; None builds one.
    stays: bool = False  # Run the code of the checkout, keep the data, and continue with that of before.


@dataclass(frozen=True)
class Cloud:
    """A local cloud: its state folder, its options and its progress output."""

    state: StateFolder
    options: Options
    progress: Progress = field(default_factory=Progress)

    @property
    def api(self) -> str:
        """The address of the API."""
        return f"http://{HOST}:{self.options.port}"

    @cached_property
    def webhook_secret(self) -> str:
        """The secret that webhooks are signed with; stored data comes with one."""
        return self._kept.webhook_secret if self._kept else new_secret()

    @cached_property
    def _kept(self) -> KeptCloud | None:
        """The stored data that this start continues with."""
        return load_kept(self.state) if self.options.stays else None

    @cached_property
    def issuer_port(self) -> int:
        """The port of the sign-in page's issuer. The template needs it before the issuer starts."""
        return self._kept.issuer_port if self._kept else free_port()

    @cached_property
    def processes(self) -> Processes:
        """The processes of this cloud."""
        return Processes(self.state.processes_file)

    def start(self) -> Stack:
        """Start the cloud. If a step fails, end all processes of the steps before it."""
        if is_taken(self.options.port):
            port = self.options.port
            raise CannotStart(
                f"Port {port} is taken: stop what listens there, or try 'make up PORT={port + 1}'."
            )
        try:
            return self._start()
        except BaseException:
            self.end()
            raise

    def end(self) -> int:
        """End every process and remove the temporary folder; return the number of processes."""
        with uninterrupted():
            return self._end()

    def _end(self) -> int:
        ended = self.processes.end()
        self.state.stack_file.unlink(missing_ok=True)
        self.state.demo_header.unlink(missing_ok=True)
        self.state.fingerprint.unlink(missing_ok=True)
        shutil.rmtree(self.state.temporary, ignore_errors=True)
        return ended

    def _start(self) -> Stack:
        shutil.rmtree(self.state.logs, ignore_errors=True)
        shutil.rmtree(self.state.temporary, ignore_errors=True)
        self.state.temporary.mkdir(parents=True)
        self.state.folder.chmod(0o700)  # It holds tokens and secrets, also in header files of the user.
        asked = fingerprint(self.options)
        self.state.fingerprint.write_text(asked)  # Before the build, which takes a while.
        self._prepare_data()
        continues = self._kept is not None and self._kept.fingerprint == asked
        emulator, provider = self._start_and_build(builds=not continues and self.options.built is None)
        if self._kept and continues:
            outputs = self._kept.outputs
            with self.progress.step("Opening the API with the data of before"):
                callers = self._callers(emulator, outputs)
                self._start_front(emulator, outputs, callers)
                self._wait_for_front()
        else:
            with self.progress.step("Deploying template.yaml"):
                outputs = self._deploy(emulator, self.options.built or self.state.build, provider)
            with self.progress.step("Opening the API"):
                callers = self._open_api(emulator, outputs)
        with self.progress.step("Creating the demo user" if self._kept is None else "Renewing the tokens"):
            demo_token = callers.token(demo.USER_ID)
        with self._functions_log_saved(emulator):
            stack = self._fill(emulator, outputs, callers, provider, demo_token)
        self._save(stack, outputs)
        return stack

    def _start_and_build(self, *, builds: bool) -> tuple[Emulator, str]:
        """Start the emulated AWS and the simulators. What will be deployed is built meanwhile."""
        step = self.progress.step
        with self._start_build() if builds else nullcontext() as build:
            simulated = "" if self.options.provider_url else " and the simulator"
            with step(f"Starting the emulated AWS{simulated}"):
                emulator = self._start_emulator()
                provider = self.options.provider_url or self._start_simulator()
                self._wait_for("The emulated AWS", f"{emulator.endpoint}/_ministack/health")
            if self.options.nightscout_port:
                with step("Starting the simulated Nightscout"):
                    self._start_nightscout(self.options.nightscout_port)
            if build:
                with step("Building functions and layer"):
                    build.wait()
        return emulator, provider

    def _fill(
        self, emulator: Emulator, outputs: dict[str, str], callers: Callers, provider: str, demo_token: str
    ) -> Stack:
        """Bring the demo user's readings into the tables."""
        step = self.progress.step
        if self._kept:
            with step("Fetching the newest readings"), ThreadPoolExecutor() as together:
                # Each starts another function, and none needs the result of another.
                checks = [
                    together.submit(it, self.api, demo_token) for it in (demo.catch_up, demo.check_reads)
                ]
                stack = self._stack(emulator, outputs, callers, provider, demo_token)
                for check in checks:
                    check.result()
            return stack
        if self.options.provider_url:
            return self._stack(emulator, outputs, callers, provider, demo_token)
        with step("Connecting the demo user to Dexcom"):
            demo.connect(self.api, demo_token)
        with step("Fetching the demo user's history"):
            # The functions that it calls start while the worker fetches.
            stack = self._stack(emulator, outputs, callers, provider, demo_token)
            demo.wait_for_readings(self.api, demo_token)
            demo.wait_for_backfill(self.api, demo_token)
        return stack

    def _deploy(self, emulator: Emulator, built: Path, provider: str) -> dict[str, str]:
        try:
            return deploy(emulator, built, self._parameters(provider), self.state.logs / "sam.log")
        except CannotStart as error:
            if self._kept is None:
                raise
            hint = "If the stored data does not fit this template, 'rm -rf .local' removes the data."
            raise CannotStart(f"{error}\n{hint}") from error

    def _prepare_data(self) -> None:
        """Keep the stored data if this start can continue with it."""
        if not self.options.stays:
            return
        if self._kept:
            require_ports(self._kept)
            forget_logs(self.state)
        else:
            shutil.rmtree(self.state.kept, ignore_errors=True)
            (self.state.kept / "aws").mkdir(parents=True)

    def _stack(
        self, emulator: Emulator, outputs: dict[str, str], callers: Callers, provider: str, demo_token: str
    ) -> Stack:
        return Stack(
            api=self.api,
            dexcom=provider,
            readings_table=outputs["ReadingsTableName"],
            users_table=outputs["UsersTableName"],
            intake_table=outputs["IntakeTableName"],
            queue_url=outputs["JobsQueueUrl"],
            dead_queue_url=outputs["DeadJobsQueueUrl"],
            event_bus=outputs["EventBusName"],
            exports_bucket=outputs["ExportsBucketName"],
            demo_user_id=demo.USER_ID,
            demo_token=demo_token,
            grant=demo.give_read_access(self.api, demo_token),
            simulated=self.options.provider_url is None,
            service_token=callers.token(_SERVICE, SCOPES),
            webhook_secret=self.webhook_secret,
            emulator=emulator,
            callers=callers,
        )

    def _save(self, stack: Stack, outputs: dict[str, str]) -> None:
        stack.save(self.state)
        if self.options.stays:
            KeptCloud(
                fingerprint=self.state.fingerprint.read_text(),
                emulator_port=stack.emulator.port,
                simulator_port=None if self.options.provider_url else httpx.URL(stack.dexcom).port,
                outputs=outputs,
                webhook_secret=self.webhook_secret,
                issuer_port=self.issuer_port,
            ).save(self.state)

    def _start_build(self) -> SamCommand:
        return start_build(self.state.build, self.state.logs / "sam.log")

    @contextmanager
    def _functions_log_saved(self, emulator: Emulator) -> Iterator[None]:
        """Save the log of the functions if a step of the demo user fails."""
        try:
            yield
        except CannotStart as error:
            functions_log = self.state.logs / "functions.log"
            save_function_lines(emulator, functions_log)
            raise CannotStart(f"{error}\nThe log of the functions is in {functions_log}.") from error

    def _start_emulator(self) -> Emulator:
        port = self._kept.emulator_port if self._kept else free_port()
        emulator = Emulator(port, enforces_iam=self.options.enforce_iam)
        stays = self.options.stays
        environ = emulator.environ(
            self.state.temporary, self.state.kept if stays else None, CHECKOUT if stays else None
        )
        log = self.state.logs / "emulator.log"
        self.processes.start("emulator", emulator.command, log, environ | {"OUTPUT_FILE": str(log)})
        return emulator

    def _start_simulator(self) -> str:
        port = (self._kept.simulator_port if self._kept else None) or free_port()
        address = f"http://{HOST}:{port}"
        credentials = ["--client-id", self.options.client_id, "--client-secret", self.options.client_secret]
        more = ["--subscriptions-path", _SUBSCRIPTIONS_PATH, *self.options.simulator_arguments]
        if self.options.stays:
            more += ["--state", str(self.state.kept / "dexcom.json")]
        self._start_module("dexcom_sim", "--host", HOST, "--port", str(port), *credentials, *more)
        self._wait_for("The simulated Dexcom", f"{address}/_sim/health")
        return address

    def _start_nightscout(self, port: int) -> None:
        # The port is fixed: a connection contains the address, and outlives `make down`.
        if is_taken(port):
            raise CannotStart(f"Port {port} is taken, which is for the simulated Nightscout.")
        self._start_module("nightscout_sim", "--host", HOST, "--port", str(port))
        self._wait_for("The simulated Nightscout", f"http://{HOST}:{port}/api/v1/status.json")

    def _open_api(self, emulator: Emulator, outputs: dict[str, str]) -> Callers:
        callers = self._callers(emulator, outputs)
        audiences = [callers.person_client_id, callers.service_client_id]
        self._start_front(emulator, outputs, callers)  # It starts while the routes are created.
        create_routes(emulator, outputs["ApiId"], callers.issuer, audiences)
        self._wait_for_front()
        return callers

    def _callers(self, emulator: Emulator, outputs: dict[str, str]) -> Callers:
        clients = (outputs["PersonClientId"], outputs["ServiceClientId"])
        return Callers(emulator, outputs["UserPoolId"], *clients)

    def _start_front(self, emulator: Emulator, outputs: dict[str, str], callers: Callers) -> None:
        target = f"{emulator.endpoint}/_aws/execute-api/{outputs['ApiId']}/$default"
        where = ["--host", self.options.front_host, "--port", str(self.options.port)]
        self._start_module("local.front", *where, "--target", target)
        self._start_issuer(callers)

    def _wait_for_front(self) -> None:
        self._wait_for("The API", f"{self.api}/health")
        self._wait_for("The sign-in page", f"{self._issuer}/.well-known/openid-configuration")

    def _start_issuer(self, callers: Callers) -> None:
        arguments = {
            "port": self.issuer_port,
            "redirect-uri": f"{self.api}/signin/callback",
            "emulator-port": callers.emulator.port,
            "pool-id": callers.pool_id,
            "person-client-id": callers.person_client_id,
            "service-client-id": callers.service_client_id,
        }
        self._start_module("local.sign_in", *(f"--{name}={value}" for name, value in arguments.items()))

    @property
    def _issuer(self) -> str:
        return f"http://{HOST}:{self.issuer_port}"

    def _start_module(self, module: str, *arguments: str) -> None:
        environ = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - the user's PATH, which finds ps and other programs.
            "PYTHONPATH": PYTHONPATH,
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self.state.temporary),
        }
        log = self.state.logs / f"{module.rpartition('.')[2]}.log"
        self.processes.start(module, [sys.executable, "-m", module, *arguments], log, environ)

    def _parameters(self, provider: str) -> dict[str, str]:
        return {
            "Environment": "development",
            "DexcomApiBaseUrl": provider,
            "DexcomClientId": self.options.client_id,
            "DexcomClientSecret": self.options.client_secret,
            "DexcomRedirectUri": f"{self.api}/oauth/callback",
            "WebhookSecrets": self.webhook_secret,
            "DexcomSubscriptionsPath": "" if self.options.provider_url else _SUBSCRIPTIONS_PATH,
            "PublicUrl": self.api,
            "PollIntervalSeconds": self.options.poll_interval_seconds,
            "PageIssuer": self._issuer,
            "PageClientId": PAGE_CLIENT_ID,
            "UserIdClaim": "username",  # Cognito's `sub` is a random id; a name is easier to type.
            "LogLevel": self.options.log_level,
            "OperatorIds": OPERATOR,
            **self.options.parameters,
        }

    def _wait_for(self, name: str, url: str) -> None:
        def answers() -> bool:
            try:
                return httpx.get(url, timeout=10, trust_env=False).status_code == 200
            except httpx.HTTPError:
                return False

        started = len(self.processes.alive())
        wait_until(lambda: answers() or len(self.processes.alive()) < started, _STARTED_S_MAX)
        if not answers():
            raise CannotStart(f"{name} did not start; see {self.state.logs}.")
