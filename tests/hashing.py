"""Django's password hasher with hardly any work in it: most tests sign somebody in, and are not about passwords.

The running portal that the journeys drive keeps the real one.
"""

from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class Quick(PBKDF2PasswordHasher):
    iterations = 1
