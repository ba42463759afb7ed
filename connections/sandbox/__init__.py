"""The simulated providers: stand-ins with real sockets and real TLS, written from each provider's own document."""
