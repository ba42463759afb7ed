"""Second factors as tests set them up and use them."""

from __future__ import annotations

from typing import Any

from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_of(seed: str) -> str:
    """One that is valid now."""
    return str(format_hotp_value(hotp_value(seed, next(iter(yield_hotp_counters_from_time())))))


def with_totp(user: Any, seed: str = SEED) -> str:
    """Sets up the second factor and returns its seed."""
    TOTP.activate(user, seed)
    return seed
