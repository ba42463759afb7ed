"""Which tests judge which module. What takes many processes or draws long texts is left out: the rest is quick."""

from __future__ import annotations

TRANSPORT, VAULT = "tests/transport", "tests/vault"

TOKENS = ("deferred_signals", "refusal_waits", "tokens", "tokens_refresh", "tokens_exchanged", "tokens_claim")
DOOR = ("dns", "session", "session_addresses", "session_answers", "session_sending", "messages_about_addresses")


def _transport(*names: str) -> tuple[str, ...]:
    return tuple(f"{TRANSPORT}/test_{name}.py" for name in names)


SUBSETS: dict[str, tuple[str, ...]] = {
    "connections.transport.oauth.tokens": _transport(*TOKENS, "token_endpoint", "single_flight"),
    "connections.transport.oauth.token_store": _transport(*TOKENS),
    # The door's guards: what an address means, whom a name leads to, whom we trust, how a connection is opened.
    **dict.fromkeys(
        (
            f"connections.transport.http.{part}"
            for part in ("session", "addresses", "dns", "tls", "pool", "response", "proxy")
        ),
        _transport(*DOOR, "certificates", "proxy"),
    ),
    **dict.fromkeys(
        (f"connections.transport.log.{part}" for part in ("body_filter", "recording")),
        _transport("body_filter", "recording", "recording_together"),
    ),
    "connections.transport.limits.rate_limiter": _transport("rate_limiter", "rate_limiter_disk"),
    "connections.transport.log.redaction": (f"{TRANSPORT}/test_redaction.py",),
    "connections.vault.sealing": (
        f"{VAULT}/test_sealing.py",
        f"{VAULT}/test_binding.py",
        f"{VAULT}/test_resealing.py",
        f"{VAULT}/test_wall.py",
        f"{TRANSPORT}/test_recording.py",
    ),
    # What a value is bound to, and who may use it for what.
    **dict.fromkeys(
        ("connections.vault.binding", "connections.vault.fields", "connections.transport.oauth.signing"),
        (
            f"{TRANSPORT}/test_signing.py",
            f"{VAULT}/test_binding.py",
            f"{VAULT}/test_sealing.py",
            f"{VAULT}/test_stolen_senders.py",
            f"{VAULT}/test_resealing.py",
        ),
    ),
    "connections.vault.resealing": (f"{VAULT}/test_resealing.py",),
    "connections.tenancy.scope": ("tests/tenancy",),
}
SLOW = "not (processes and (backlog or budget)) and not 32_senders and not a_thousand_calls and not very_long_text"
LONGEST = 5.0  # seconds; a test that takes longer judges no mutant
ENOUGH = 60.0  # seconds of tests; who survives them has survived
