"""Benchmarks of cost and latency: the numbers of docs/requirements.md's H, by `make bench`."""
