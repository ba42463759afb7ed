"""A value that shows dots wherever it is printed, logged, formatted, pickled or put into JSON."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Mapping
from typing import NoReturn

from connections.spec.origins import origin_of
from connections.spec.uses import Use

DOTS = "•••"
REMEMBERED_SECONDS = 15 * 60.0  # after a secret was last revealed
MOST_REMEMBERED = 2000
LONGEST_REMEMBERED_CHARACTERS = 20_000  # characters: longer than any single value, shorter than a sealed mail


class Secret:
    """Wraps one secret text. Only `.reveal()` gives it out; a test lists who may call that (tests/house)."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The text itself."""
        _remember(self, self.__value)
        return self.__value

    def hint(self) -> str:
        """The last four characters of a secret of at least sixteen; else nothing."""
        return self.__value[-4:] if len(self.__value) >= 16 else ""

    def __repr__(self) -> str:
        return DOTS

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return DOTS

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __reduce__(self) -> NoReturn:
        message = "a secret is not pickled"
        raise TypeError(message)

    # Identity only: comparing by value would let a caller guess.
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class WrongUse(Exception):
    """A secret was about to be used for something else, or sent to another place, than it is for. Names neither of them."""

    def __init__(self) -> None:
        super().__init__("a secret was not given for this")


class BoundSecret(Secret):
    """A secret as it comes from the vault, or as a provider gave it: it is revealed for its uses and destinations alone.

    `destinations`: the origins it may be sent to, by use. A use that is not for the network has none, and needs no address.
    """

    __slots__ = ("__destinations",)

    def __init__(self, value: str, destinations: Mapping[Use, frozenset[str]]) -> None:
        super().__init__(value)
        self.__destinations = dict(destinations)

    def reveal(self) -> NoReturn:
        """Raises WrongUse: `reveal_for` says what for."""
        raise WrongUse

    def reveal_for(self, use: Use, url: str = "") -> str:
        """Raises WrongUse. `url`: where it is about to be sent; none for a use that is not for the network."""
        allowed = self.__destinations.get(use)
        if allowed is None or ((url or use is not Use.MAIL) and _origin_or_none(url) not in allowed):
            raise WrongUse
        return Secret.reveal(self)


def _origin_or_none(url: str) -> str:
    try:
        return origin_of(url)
    except ValueError:
        return ""


# What this process has lately revealed, by a hash that means something only here: the wrapper itself, no second copy.
_revealed: dict[bytes, tuple[Secret, float]] = {}
_lock = threading.Lock()
_salt = os.urandom(16)


def _remember(secret: Secret, value: str) -> None:
    if not 0 < len(value) <= LONGEST_REMEMBERED_CHARACTERS:
        return
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16, key=_salt).digest()
    with _lock:
        _revealed.pop(digest, None)  # the newest stand last
        _revealed[digest] = secret, time.monotonic() + REMEMBERED_SECONDS
        while len(_revealed) > MOST_REMEMBERED:
            del _revealed[next(iter(_revealed))]


def lately_revealed() -> list[str]:
    """Secrets that could stand in a text this process is about to write down, so that they can be taken out of it."""
    now = time.monotonic()
    with _lock:
        for digest in [digest for digest, (_, until) in _revealed.items() if until < now]:
            del _revealed[digest]
        return [secret._Secret__value for secret, _ in _revealed.values()]  # type: ignore[attr-defined]
