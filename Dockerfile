# The local stack in a container: the emulated AWS with the deployed template, the simulated Dexcom, and the API.
# It is for trying things out and for tests. What runs in production is deployed to Lambda by `make deploy`.

# An argument, so that a registry of your own, or a digest, can take its place. Any Python from 3.11 on will do.
ARG PYTHON=python:3.13.9-slim-bookworm

# Everything is installed and built once here; nothing of it is fetched again when a container starts.
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
# Fills uv's cache with the layer's wheels, and shows that template and functions build.
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
# At the same path: environments remember where they were made.
COPY --from=built --chown=bg-ingest:bg-ingest /srv/bg-ingest /srv/bg-ingest
USER 10001
WORKDIR /srv/bg-ingest
# The edge of the container decides who reaches it, so the API listens on all of its addresses, and nothing else does.
ENV FRONT_HOST=0.0.0.0 PYTHONPATH=layers/core:. PYTHONUNBUFFERED=1 \
    SAM_CLI_TELEMETRY=0 UV_CACHE_DIR=/srv/bg-ingest/.uv-cache UV_OFFLINE=1
EXPOSE 5001
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=3 \
    CMD [".venv/bin/python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:5001/ready', timeout=4)"]
# Signals reach it directly, and it ends everything it started.
CMD [".venv/bin/python", "-m", "local", "up"]
