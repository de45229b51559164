"""The shell examples of README and docs, run against `make up`."""
