"""A public fuzzer, Schemathesis, against the running local stack: `make fuzz-api`."""
