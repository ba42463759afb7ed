"""The part of docs/security.md about sealed columns: whose key, what they are bound to, what for, and in whose hands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from tests.house import security_words as words

if TYPE_CHECKING:
    from connections.vault.fields import SealedField
    from tests.house.rights import Rights


def require_words(there: set[str], described: set[str], what: str) -> None:
    """Raises LookupError where one has no words, or the words describe nothing."""
    if there != described:
        message = (
            f"tests/house/security_words.py: {what} without words: {', '.join(sorted(there - described)) or 'none'};"
            f" words without {what}: {', '.join(sorted(described - there)) or 'none'}"
        )
        raise LookupError(message)


def protected() -> dict[str, str]:
    """table.column of everything that is sealed or wrapped, with the key that opens it."""
    from connections.vault.fields import SEALED_FIELDS
    from tests.house.test_secrets import FIELDS

    sealed = {f"{each.model._meta.db_table}.{each.column}": "KEK" for each in SEALED_FIELDS}
    told = {name for name, how in FIELDS.items() if how.startswith(("sealed", "wrapped"))}
    require_words(told - set(sealed), set(words.OPENED_WITH), "sealed column")
    return {**sealed, **words.OPENED_WITH}


def sealed(rights: Rights) -> Iterator[str]:
    from connections.vault.fields import SEALED_FIELDS
    from tests.house.test_secrets import FIELDS

    yield "## Sealed columns\n"
    yield (
        "Each value is sealed with the public half of a key pair and bound to its owner, table, row and column, and to what is"
        " named here. It opens for these uses alone, in a process that holds the KEK.\n"
    )
    rows = []
    for field in sorted(SEALED_FIELDS, key=lambda each: (each.model._meta.db_table, each.column)):
        name = f"{field.model._meta.db_table}.{field.column}"
        rows.append((f"`{name}`", field.owner, _bound_to(field), _uses(field), *readers_and_writers(rights, name)))
    yield table(("Column", "Whose key", "Bound to, besides", "For", "Ciphertext read by", "written by"), rows)
    yield "What else is sealed or wrapped:\n"
    rows = [
        (f"`{name}`", FIELDS[name], key, *readers_and_writers(rights, name)) for name, key in words.OPENED_WITH.items()
    ]
    yield table(("Column", "How", "Opened with the", "Read by", "written by"), rows)


def _bound_to(field: SealedField) -> str:
    columns = {each.name for each in field.model._meta.concrete_fields}
    told = [f"`{field.named_by}`"] if field.named_by else []
    if "connection" in columns:
        told += ["the connection", "its provider and environment", "the origin of every address its customer typed"]
    elif {"provider", "environment"} <= columns:
        told += ["its provider and environment"]
    return ", ".join(told) or "nothing else"


def _uses(field: SealedField) -> str:
    """Where the row decides: every use that some provider declares."""
    if not callable(field.uses):
        return ", ".join(sorted(field.uses))
    from connections.providers.registry import all_providers
    from connections.vault.models import Connection

    found: dict[str, set[str]] = {}
    for slug, provider in all_providers().items():
        for name in [each.name for each in provider.credentials]:
            row = field.model(
                connection=Connection(provider=slug), **({field.named_by: name} if field.named_by else {})
            )
            for use in field.uses(row):
                found.setdefault(use, set()).add(provider.name)
    return "; ".join(f"{use} ({', '.join(sorted(found[use]))})" for use in sorted(found))


def readers_and_writers(rights: Rights, name: str) -> tuple[str, str]:
    """The roles that read a column, and those that write it."""
    own, column = rights.tables[name.partition(".")[0]], name.partition(".")[2]
    reads = [role for role in rights.roles if column in own.can[role]["SELECT"]]
    writes = [role for role in rights.roles if column in own.can[role]["INSERT"] | own.can[role]["UPDATE"]]
    return ", ".join(map(role_name, reads)) or "nobody", ", ".join(map(role_name, writes)) or "nobody"


def role_name(name: str) -> str:
    return name.removeprefix("portal_")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)
