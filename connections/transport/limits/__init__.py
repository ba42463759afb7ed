"""How often and when we may call: quotas, circuit breakers, retries."""
