"""How often and when we may call: quotas, breakers, waits, retries."""
