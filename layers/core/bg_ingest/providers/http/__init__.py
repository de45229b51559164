"""HTTP calls to a provider: retries, rate limit, circuit breaker, quota and a record of each call."""
