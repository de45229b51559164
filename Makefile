# Every command of the project; `make help` lists them.
#
#   make up [DETACH=1] [PORT=5001] [IAM=1] [DEXCOM_API_BASE_URL=https://...]

PORT ?= 5001
STAGE ?= dev
export PORT IAM DEXCOM_API_BASE_URL DEXCOM_CLIENT_ID DEXCOM_CLIENT_SECRET POLL_INTERVAL_SECONDS LOG_LEVEL RABBITMQ_URL
export SAM_CLI_TELEMETRY := 0

# The first Python here that is new enough; `make PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$python && break; done)

UV := .venv/bin/uv
RUN := .venv/bin/python
# SAM and the emulator pin much of what they need, so each has an environment of its own.
INSTALLED := .venv/.installed .venv-sam/.installed .venv-aws/.installed .venv-runtime/.installed .venv-statistics/.installed

.PHONY: help setup up down test test-integration fuzz mutation simulation statistics breaks interface check format interface build deploy invoke bench load faults release lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

setup: $(INSTALLED) ## Install everything into environments of this folder

up: $(INSTALLED) ## Start the whole system on this machine (DETACH=1 returns when it is ready)
	@$(RUN) -m local up $(if $(filter 1,$(DETACH)),--detach)

down: ## Stop it
	@if [ -x $(RUN) ]; then $(RUN) -m local down; else echo "Nothing was running."; fi

test: $(INSTALLED) ## Run the tests: unit, functions, contracts, template, end to end
	$(RUN) -m pytest

test-integration: $(INSTALLED) ## The contracts against Amazon's DynamoDB Local (Java 17 and Maven) and a real RabbitMQ (rabbitmq-server)
	$(RUN) -m pytest --integration tests/contract tests/local

fuzz: $(INSTALLED) ## Look long at everything that takes what somebody else has written (some ten minutes)
	$(RUN) -m pytest -m fuzz --hypothesis-profile=fuzz

mutation: $(INSTALLED) ## Break the pure core in every small way; a test has to notice (a quarter of an hour)
	$(RUN) -m tests.mutation

simulation: $(INSTALLED) ## A thousand seeds of the engine's simulation
	$(RUN) -m pytest --seeds 1000 tests/simulation

statistics: $(INSTALLED) ## Compare the statistics of two hundred series with those of two public tools
	$(RUN) -m pytest --series 200 tests/unit/statistics/test_public_tools.py

breaks: $(INSTALLED) ## Break the engine on purpose in every way of the list; the simulation has to catch each
	$(RUN) -m tests.simulation.breaks

check: $(INSTALLED) .venv-checkov/.installed ## Lint, types, import contracts, template, container
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	PYTHONPATH=. .venv/bin/lint-imports
	.venv-sam/bin/sam validate --lint
	.venv-aws/bin/python local/transformed.py > .venv-checkov/template.json
	LOG_LEVEL=WARNING .venv-checkov/bin/checkov --config-file .checkov.yaml --file .venv-checkov/template.json
	.venv/bin/hadolint Dockerfile
	.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml

format: $(INSTALLED) ## Format the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

interface: $(INSTALLED) ## Describe the HTTP interface anew: openapi.json, the page at /docs, the table in docs/api.md
	$(RUN) -m tools.interface

bench: $(INSTALLED) ## Measure cost and CPU into benchmarks/REPORT.md (QUICK=1 only prints; needs Java 17 and Maven)
	$(RUN) -m benchmarks $(if $(filter 1,$(QUICK)),--quick)

load: $(INSTALLED) ## A thousand readers on the local stack while polling goes on: benchmarks/LOAD.md
	$(RUN) -m benchmarks.load

faults: $(INSTALLED) ## Hours of trouble for a thousand users in a made-up time; then on the deployed stack: benchmarks/FAULTS.md
	$(RUN) -m pytest tests/faults
	$(RUN) -m tests.faults 1000
	$(RUN) -m tests.faults.deployed

build: $(INSTALLED) ## Build what is deployed to AWS
	UV="$(CURDIR)/$(UV)" .venv-sam/bin/sam build

deploy: build ## Deploy to your AWS account (STAGE=dev, staging or prod)
	.venv-sam/bin/sam deploy --config-env $(STAGE)

invoke: $(INSTALLED) ## Run one function with one event (FN=QueryFunction EVENT=events/query_latest.json)
	@test -n "$(FN)" -a -n "$(EVENT)" \
		|| { echo "Which function, with which event? make invoke FN=QueryFunction EVENT=events/query_latest.json"; exit 1; }
	@$(RUN) -m local invoke "$(FN)" "$(EVENT)"

release: $(INSTALLED) ## Tag the version that CHANGELOG.md has released
	@$(RUN) -m tools.release

lock: $(INSTALLED) ## Resolve the dependency groups of pyproject.toml into the pinned files
	$(UV) pip compile $(LOCK) --group layer --output-file layers/core/requirements.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group emulator --output-file local/requirements-emulator.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group runtime --output-file local/requirements-runtime.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group sam --output-file local/requirements-sam.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group statistics --output-file tests/requirements-statistics.txt pyproject.toml
	$(UV) pip compile $(LOCK) --group policies --output-file local/requirements-checkov.txt pyproject.toml
	grep -E '^boto(3|core)==' local/requirements-emulator.txt > .venv/same-boto.txt
	$(UV) pip compile $(LOCK) --group dev --constraint layers/core/requirements.txt --constraint .venv/same-boto.txt \
		--output-file requirements-dev.txt pyproject.toml

clean: down ## Remove everything that can be made again
	rm -rf .venv .venv-sam .venv-aws .venv-runtime .venv-checkov .venv-statistics .local .aws-sam .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

LOCK := --quiet --universal --python-version 3.11 --no-header --upgrade

# ------------------------------------------------------------------------------------------ environments

.venv/.installed: requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "BG Ingest needs Python 3.11 or newer, and there is none on this machine's PATH."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "BG Ingest needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version)."; exit 1; }
	@echo "Setting up with $$($(PYTHON) --version) ..."
	@rm -rf .venv
	@$(PYTHON) -m venv .venv || { echo "This Python cannot make environments; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements-dev.txt)"
	@$(UV) pip install --quiet --python $(RUN) --requirement requirements-dev.txt
	@# The package is imported from where it is: an installed copy would be tested instead of what is being changed.
	@printf '%s\n' "$(CURDIR)/layers/core" "$(CURDIR)/simulators/dexcom" > "$$($(RUN) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/bg-ingest.pth"
	@touch $@

.venv-sam/.installed: local/requirements-sam.txt .venv/.installed
.venv-aws/.installed: local/requirements-emulator.txt .venv/.installed
.venv-runtime/.installed: local/requirements-runtime.txt .venv/.installed
.venv-checkov/.installed: local/requirements-checkov.txt .venv/.installed
.venv-statistics/.installed: tests/requirements-statistics.txt .venv/.installed
.venv-sam/.installed .venv-aws/.installed .venv-runtime/.installed .venv-checkov/.installed .venv-statistics/.installed:
	@rm -rf $(@D)
	@$(UV) venv --quiet --python $(RUN) $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --requirement $<
	@touch $@
