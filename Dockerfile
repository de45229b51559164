# Container image of the local stack: the emulated AWS with the deployed template, the simulated Dexcom and the API.
# It is for evaluation and tests only. `make deploy` deploys to Lambda, which is the production platform.

# A build argument, so that a private registry or a digest can replace it. Python 3.11 or newer is required.
ARG PYTHON=python:3.13.9-slim-bookworm

# Installs and builds everything once. A container downloads nothing when it starts.
FROM ${PYTHON} AS built
WORKDIR /srv/bg-ingest
ENV UV_CACHE_DIR=/srv/bg-ingest/.uv-cache SAM_CLI_TELEMETRY=0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
COPY Makefile requirements-dev.txt ./
COPY local/requirements-*.txt local/
RUN make .venv/.installed .venv-sam/.installed .venv-aws/.installed
COPY . .
# Fills uv's cache with the wheels of the layer, and checks that the template and the functions build.
RUN PYTHONPATH=layers/core:. .venv/bin/python -c \
    "from pathlib import Path; from local.deploy import build; build(Path('.local/build'), Path('.local/sam.log'))" \
    && rm -rf .local

# hadolint ignore=DL3006
FROM ${PYTHON}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends make procps \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin bg-ingest
# Same path as in the first stage, because virtual environments contain absolute paths.
COPY --from=built --chown=bg-ingest:bg-ingest /srv/bg-ingest /srv/bg-ingest
USER 10001
WORKDIR /srv/bg-ingest
# Only the API listens on all addresses of the container. Published ports decide who can reach it.
ENV FRONT_HOST=0.0.0.0 PYTHONPATH=layers/core:. PYTHONUNBUFFERED=1 \
    SAM_CLI_TELEMETRY=0 UV_CACHE_DIR=/srv/bg-ingest/.uv-cache UV_OFFLINE=1
EXPOSE 5001
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=3 \
    CMD [".venv/bin/python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:5001/ready', timeout=4)"]
# Receives signals directly and stops every process that it started.
CMD [".venv/bin/python", "-m", "local", "up"]
