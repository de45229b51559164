"""What it costs and how long it takes: the numbers of docs/requirements.md's H, by `make bench`."""
