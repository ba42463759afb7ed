"""A value that shows dots wherever it is printed, logged, formatted, pickled or put into JSON."""

from __future__ import annotations

from typing import NoReturn

DOTS = "•••"


class Secret:
    """Wraps one secret text. Only `.reveal()` gives it out; a house test lists who may call that."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
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
