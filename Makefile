# Commands of the project. `make help` lists them.
#
#   make up [DETACH=1] [PORT=5001] [IAM=1] [NIGHTSCOUT=1] [DEXCOM_API_BASE_URL=https://...]
#
# A changed file of functions/ or layers/ is live while it runs. Its data survives `make down`; `make clean` removes it.

STAGE ?= dev
# Without a default here, which would replace the value of a file .env.
export PORT IAM WATCH NIGHTSCOUT DEXCOM_API_BASE_URL DEXCOM_CLIENT_ID DEXCOM_CLIENT_SECRET POLL_INTERVAL_SECONDS LOG_LEVEL RABBITMQ_URL CORS_ORIGINS RETURN_URLS
export SAM_CLI_TELEMETRY := 0
# Without .pyc files every process compiles everything again.
unexport PYTHONDONTWRITEBYTECODE

# The first Python on the PATH that is version 3.11 or newer. `make PYTHON=/path/to/python` chooses another one.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$python && break; done)

UV := .venv/bin/uv
RUN := .venv/bin/python
# SAM and the emulator pin conflicting versions of their dependencies, so each has its own environment.
STARTING := .venv/.installed .venv-sam/.installed .venv-aws/.installed
INSTALLED := $(STARTING) .venv-runtime/.installed

.PHONY: help setup up down test test-integration test-clients test-sandbox fuzz fuzz-api mutation simulation statistics exports breaks interface check language format interface build deploy invoke bench load scale faults release smoke sbom lock clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

setup: $(STARTING) ## Install the dependencies into virtual environments in this folder

up: $(STARTING) ## Start the local stack (DETACH=1 returns when it is ready)
	@$(RUN) -m local up $(if $(filter 1,$(DETACH)),--detach)

down: ## Stop the local stack
	@if [ -x $(RUN) ]; then $(RUN) -m local down; else echo "Nothing was running."; fi

test: $(INSTALLED) .venv-statistics/.installed ## Run the tests: unit, functions, contract, template, end to end
	$(RUN) -m pytest

test-integration: $(INSTALLED) ## Run the contract tests against DynamoDB Local (Java 17, Maven) and RabbitMQ (rabbitmq-server)
	$(RUN) -m pytest --integration tests/contract tests/local

test-clients: $(INSTALLED) ## Run eight Nightscout clients, unchanged, against the running local stack (make up first)
	@$(RUN) -m tests.clients

test-sandbox: $(INSTALLED) ## Check what the Dexcom client assumes against Dexcom's real sandbox (needs its credentials)
	@$(RUN) -m tests.sandbox

fuzz: $(INSTALLED) ## Fuzz every parser of external input (ten minutes)
	$(RUN) -m pytest -m fuzz --hypothesis-profile=fuzz

fuzz-api: $(INSTALLED) .venv-fuzz/.installed ## Run a public fuzzer over openapi.json and the running local stack (two minutes)
	@$(RUN) -m tests.api_fuzz

mutation: $(INSTALLED) ## Run mutation tests on the pure core (15 minutes)
	$(RUN) -m tests.mutation

simulation: $(INSTALLED) ## Run the simulation of the sync engine with 1,000 seeds
	$(RUN) -m pytest --seeds 1000 tests/simulation

statistics: $(INSTALLED) .venv-statistics/.installed ## Compare the statistics of two hundred series with those of two public tools
	$(RUN) -m pytest --series 200 tests/unit/statistics/test_public_tools.py

exports: $(INSTALLED) .venv-exports/.installed ## Compare exports with what pandas, polars, DuckDB and other public tools read
	$(RUN) -m pytest tests/unit/exporting

breaks: $(INSTALLED) ## Inject known bugs into the sync engine and check that the simulation finds each
	$(RUN) -m tests.simulation.breaks

check: $(INSTALLED) .venv-checkov/.installed .venv-iam/.installed ## Check formatting, lint, types, import contracts, templates, container files and language
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	PYTHONPATH=. .venv/bin/lint-imports
	.venv-sam/bin/sam validate --lint
	.venv-sam/bin/sam validate --lint --template monitoring.yaml
	.venv-aws/bin/python local/transformed.py > .venv-checkov/template.json
	LOG_LEVEL=WARNING .venv-checkov/bin/checkov --config-file .checkov.yaml --file .venv-checkov/template.json monitoring.yaml
	.venv-iam/bin/python -W ignore local/iam_policies.py < .venv-checkov/template.json
	.venv/bin/hadolint Dockerfile
	.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	$(RUN) -m tools.language

language: $(INSTALLED) ## Check the language of comments, docs, error texts, alarms and test names
	$(RUN) -m tools.language

format: $(INSTALLED) ## Format the code and apply automatic fixes
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

interface: $(INSTALLED) ## Generate the API reference: openapi.json, the page at /docs, the table in docs/api.md
	$(RUN) -m tools.interface

bench: $(INSTALLED) ## Run the benchmarks and write benchmarks/REPORT.md (QUICK=1 only prints; needs Java 17, Maven)
	$(RUN) -m benchmarks $(if $(filter 1,$(QUICK)),--quick)

load: $(INSTALLED) ## Run the load test with 1,000 readers on the local stack and write benchmarks/LOAD.md
	$(RUN) -m benchmarks.load

scale: $(INSTALLED) ## Simulate the schedule with up to a million users and write benchmarks/SCALE.md (a minute)
	$(RUN) -m benchmarks.scale

faults: $(INSTALLED) ## Run the fault-injection tests, simulated and on the local stack, and write benchmarks/FAULTS.md
	$(RUN) -m pytest tests/faults
	$(RUN) -m tests.faults 1000
	$(RUN) -m tests.faults.deployed

build: $(INSTALLED) ## Build the functions and the layer for AWS
	UV="$(CURDIR)/$(UV)" .venv-sam/bin/sam build

deploy: $(INSTALLED) ## Build and deploy to your AWS account (STAGE=dev, staging or prod)
	@$(RUN) -m tools.deployable "$(STAGE)"
	@$(MAKE) --no-print-directory build
	.venv-sam/bin/sam deploy --config-env $(STAGE)

invoke: $(INSTALLED) ## Invoke one function with one event (FN=QueryFunction EVENT=events/query_latest.json)
	@test -n "$(FN)" -a -n "$(EVENT)" \
		|| { echo "FN or EVENT is missing. Example: make invoke FN=QueryFunction EVENT=events/query_latest.json"; exit 1; }
	@$(RUN) -m local invoke "$(FN)" "$(EVENT)"

release: $(INSTALLED) ## Tag the version of the newest heading of CHANGELOG.md
	@$(RUN) -m tools.release

smoke: $(INSTALLED) ## Check a deployment from outside (API=https://..., TOKEN=... to read as well)
	@API="$(API)" TOKEN="$(TOKEN)" $(RUN) -m tools.smoke

sbom: $(INSTALLED) ## Write dist/sbom.cdx.json, the software bill of materials of the layer (CycloneDX)
	@PYTHONPATH=layers/core $(RUN) -m tools.sbom

lock: $(INSTALLED) ## Update the pinned requirements files from pyproject.toml
	$(UV) pip compile $(LOCK) --group layer --output-file layers/core/requirements.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group export --output-file layers/export/requirements.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group emulator --output-file local/requirements-emulator.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group runtime --output-file local/requirements-runtime.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group sam --output-file local/requirements-sam.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group statistics --output-file tests/requirements-statistics.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group exports --output-file tests/requirements-exports.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group iam --output-file local/requirements-iam.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group fuzz --output-file tests/requirements-fuzz.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group policies --output-file local/requirements-checkov.txt pyproject.toml
	grep -oE '^boto(3|core)==[^ ]+' local/requirements-emulator.txt > .venv/same-boto.txt
	$(UV) pip compile $(LOCK) --group dev --constraint layers/core/requirements.txt --constraint .venv/same-boto.txt \
		--output-file requirements-dev.txt pyproject.toml

clean: down ## Stop the local stack and remove all generated files
	rm -rf .venv .venv-* .local .aws-sam .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

LOCK := --generate-hashes --quiet --universal --python-version 3.11 --no-header --upgrade

# The line of one package in a pinned file, with its hashes.
pin = awk '/^$(1)==/ { found = 1 } found { print; if (!/\\$$/) exit }' $(2)

# ------------------------------------------------------------------------------------------ environments

PIP_INSTALL := install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt
NO_VENV := "This Python has no venv module. On Debian and Ubuntu: apt install python3-venv"

.venv/.installed: requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "BG Ingest needs Python 3.11 or newer, and the PATH has none."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "BG Ingest needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version)."; exit 1; }
	@echo "Setting up with $$($(PYTHON) --version) ..."
	@rm -rf .venv
	@$(PYTHON) -m venv --without-pip .venv || { echo $(NO_VENV); exit 1; }
	@$(call pin,uv,requirements-dev.txt) > .venv/uv.txt
	@# The pip of $(PYTHON) installs uv, which installs the rest. If it has none, a new pip takes some seconds more.
	@$(PYTHON) -m pip --python $(RUN) $(PIP_INSTALL) 2>/dev/null \
		|| { $(RUN) -m ensurepip >/dev/null 2>&1 || { echo $(NO_VENV); exit 1; }; $(RUN) -m pip $(PIP_INSTALL); }
	@$(UV) pip install --quiet --python $(RUN) --require-hashes --requirement requirements-dev.txt
	@# Imports the package from its source folder. With an installed copy, tests would not see changes.
	@printf '%s\n' "$(CURDIR)/layers/core" "$(CURDIR)/simulators/dexcom" "$(CURDIR)/simulators/nightscout" > "$$($(RUN) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/bg-ingest.pth"
	@touch $@

.venv-sam/.installed: local/requirements-sam.txt .venv/.installed
.venv-aws/.installed: local/requirements-emulator.txt .venv/.installed
.venv-runtime/.installed: local/requirements-runtime.txt .venv/.installed
.venv-checkov/.installed: local/requirements-checkov.txt .venv/.installed
.venv-iam/.installed: local/requirements-iam.txt .venv/.installed
.venv-statistics/.installed: tests/requirements-statistics.txt .venv/.installed
.venv-exports/.installed: tests/requirements-exports.txt .venv/.installed
.venv-fuzz/.installed: tests/requirements-fuzz.txt .venv/.installed
.venv-%/.installed:
	@rm -rf $(@D)
	@$(UV) venv --quiet --python $(RUN) $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --require-hashes --requirement $<
	@touch $@
