"""Which tests judge which module. What takes many processes or draws long texts is left out: the rest is quick."""

from __future__ import annotations

TRANSPORT, VAULT = "tests/transport", "tests/vault"

SUBSETS: dict[str, tuple[str, ...]] = {
    "connections.transport.oauth.tokens": (
        *(f"{TRANSPORT}/test_tokens{part}.py" for part in ("", "_refresh", "_shield", "_traded", "_claim")),
        f"{TRANSPORT}/test_token_request.py",
        f"{TRANSPORT}/test_single_flight.py",
    ),
    "connections.transport.oauth.token_store": tuple(
        f"{TRANSPORT}/test_tokens{part}.py" for part in ("", "_refresh", "_shield", "_traded", "_claim")
    ),
    "connections.transport.http.session": tuple(
        f"{TRANSPORT}/test_{part}.py"
        for part in ("egress", "egress_addresses", "egress_answers", "egress_sending", "certificates", "proxy")
    ),
    # The door's guards: what an address means, whom a name leads to, whom we trust, how a line is opened.
    **dict.fromkeys(
        (f"connections.transport.{part}" for part in ("addresses", "names", "trust", "links", "heads", "proxy")),
        tuple(
            f"{TRANSPORT}/test_{part}.py"
            for part in (
                "names",
                "egress_addresses",
                "addresses_told",
                "egress",
                "egress_answers",
                "egress_sending",
                "certificates",
                "proxy",
            )
        ),
    ),
    **dict.fromkeys(
        (f"connections.transport.{part}" for part in ("outline", "recording")),
        tuple(f"{TRANSPORT}/test_{part}.py" for part in ("outline", "recording", "recording_together")),
    ),
    "connections.transport.limits.rate_limiter": (f"{TRANSPORT}/test_limiter.py", f"{TRANSPORT}/test_limiter_disk.py"),
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
