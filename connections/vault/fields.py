"""The column of a sealed value: it knows whose key seals it and what the value is bound to, and lists itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from django.db import models

from connections.providers import registry
from connections.spec.uses import Use
from connections.vault.binding import Binding

Uses = frozenset[Use] | Callable[[Any], frozenset[Use]]

# Every column of this kind, in the order of the models.
SEALED_FIELDS: list[SealedField] = []


class SealedField(models.BinaryField):  # type: ignore[type-arg]  # not generic when it runs
    """A ciphertext that opens in its own table, row and column alone, and for its own uses and destinations (binding.py).

    `key_version` names the column with the version of the key. `owner`: whose key pair seals it, the row's tenant's or the
    system's own. `uses`: what the value may be used for, where the row decides that a function of it. `named_by`: a column
    whose value is part of the binding, such as the name of a credential.

    A row with a `connection` is bound to it, to its provider and environment and to the addresses its customer typed; one
    with a `provider` and an `environment` of its own to these.
    """

    def __init__(
        self,
        *args: Any,
        key_version: str = "key_version",
        owner: Literal["tenant", "system"] = "tenant",
        uses: Uses = frozenset(),
        named_by: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.key_version, self.owner, self.uses, self.named_by = key_version, owner, uses, named_by

    def deconstruct(self) -> Any:
        """To migrations it is a plain column: what it is bound to is no matter of the database."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        if not cls._meta.abstract:
            SEALED_FIELDS.append(self)

    def binding(self, row: Any) -> Binding:
        """What a value is bound to in this row as the caller has it, its connection included."""
        uses = self.uses(row) if callable(self.uses) else self.uses
        name = str(getattr(row, self.named_by)) if self.named_by else ""
        connection = getattr(row, "connection", None)
        if connection is None:
            provider, environment = getattr(row, "provider", ""), getattr(row, "environment", "")
            return Binding(uses, name=name, provider=provider, environment=environment)
        description = registry.find(connection.provider)
        return Binding(
            uses,
            connection=str(connection.id),
            name=name,
            provider=connection.provider,
            environment=connection.environment,
            origins=description.typed_origins(connection.settings) if description else (),
            settings=connection.settings,
        )


def sealed_columns(model: type[models.Model]) -> list[str]:
    """The names of a model's sealed columns, each followed by that of the version of its key."""
    sealed = [field for field in model._meta.concrete_fields if isinstance(field, SealedField)]
    return [name for field in sealed for name in (field.name, field.key_version)]


def sealed_field(row: models.Model, name: str) -> SealedField:
    """Raises TypeError for a column that is none."""
    field = row._meta.get_field(name)
    if not isinstance(field, SealedField):
        message = f"{row._meta.label}.{name} is no sealed column"
        raise TypeError(message)
    return field
