"""Second factors as tests set them up and use them."""

from __future__ import annotations

from typing import Any

from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_of(seed: str, number: int = -1) -> str:
    """One that is valid now: the newest, or another one of the three. Each is taken once."""
    return str(format_hotp_value(hotp_value(seed, list(yield_hotp_counters_from_time())[number])))


def with_totp(user: Any, seed: str = SEED) -> str:
    """Sets up the second factor and returns its seed."""
    TOTP.activate(user, seed)
    return seed
