"""Row security, each role's rights and foreign keys that include the tenant, written as constraints of models.

`makemigrations` compares them like any other constraint. A migration does not hold `RowSecurity(...)` but the statements
that it stood for on that day (`TableStatements`), so nothing that is written here later changes what an old migration does.
After a change, of a model's rights or of the SQL below, `makemigrations` writes the new statements for every table concerned.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

from django.db import models
from django.db.backends.ddl_references import Statement

OWNER, WEB, WORKER, STAFF = "portal_owner", "portal_web", "portal_worker", "portal_staff"

# A scope that was set and ended leaves '' behind, not NULL; without a scope there are no rows and no error.
IN_SCOPE = "tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)"
IN_PERSON = "{column} = (SELECT NULLIF(current_setting('portal.user_id', true), '')::bigint)"


class TableStatements(models.BaseConstraint):
    """Statements that are run once the table exists, and those that take them back; what migrations hold of the classes below.

    `{table}` in a statement is the table's name; where `field` names a foreign key, `{column}` is its column and `{target}`
    the table it points at. Migrations name this class: it stays here, and what it does with its arguments stays the same.
    """

    def __init__(self, *, name: str, statements: Sequence[str], undo: Sequence[str], field: str = "") -> None:
        super().__init__(name=name)
        self.statements, self.undo, self.field = list(statements), list(undo), field

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        # Returns nothing to stand inside CREATE TABLE.
        if self.statements:
            schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        return self._for_table(self.statements, model)

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        return self._for_table(self.undo, model)

    def _for_table(self, statements: list[str], model: Any) -> Statement | None:
        names = {"{table}": model._meta.db_table}
        if self.field:
            field = model._meta.get_field(self.field)
            names |= {"{column}": field.column, "{target}": field.related_model._meta.db_table}
        text = "; ".join(statements)
        for placeholder, name in names.items():
            text = text.replace(placeholder, name)
        return Statement(text.replace("%", "%%") + ";") if text else None

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """The database refuses; there is nothing to judge on one instance."""

    def deconstruct(self) -> Any:
        """For the classes below, too: what a migration holds are the statements."""
        path = f"{TableStatements.__module__}.{TableStatements.__qualname__}"
        kwargs = {"name": self.name, "statements": self.statements, "undo": self.undo}
        return path, (), kwargs | ({"field": self.field} if self.field else {})

    def clone(self) -> Self:
        return copy.copy(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TableStatements) and other.deconstruct() == self.deconstruct()

    __hash__ = models.BaseConstraint.__hash__


class RowSecurity(TableStatements):
    """Row security for a tenant-owned table, with each role's rights as PostgreSQL spells them: `SELECT, UPDATE (state)`.

    `person` names a column a user may read own rows by. `is_target`: other tables may point at this one with `SameTenant`.
    """

    def __init__(
        self, *, name: str, web: str = "", worker: str = "", staff: str = "", person: str = "", is_target: bool = True
    ) -> None:
        self.web, self.worker, self.staff = web, worker, staff
        self.person = person
        policies = {
            "owner": f"TO {OWNER} USING (true) WITH CHECK (true)",
            "tenant": f"TO {WEB}, {WORKER} USING ({IN_SCOPE}) WITH CHECK ({IN_SCOPE})",
        }
        if person:
            policies["person"] = f"FOR SELECT TO {WEB} USING ({IN_PERSON.format(column=person)})"
        if staff:
            policies["staff"] = f"TO {STAFF} USING (true) WITH CHECK (true)"
        super().__init__(
            name=name,
            statements=[
                'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                *(f'CREATE POLICY {policy} ON "{{table}}" {rule}' for policy, rule in policies.items()),
                *([_TARGET] if is_target else []),
                *_grants(web, worker, staff),
            ],
            undo=[
                *(f'DROP POLICY {policy} ON "{{table}}"' for policy in policies),
                'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY',
                _REVOKE,
            ],
        )


class NoRowSecurity(TableStatements):
    """A table without row security: each role's rights, and the reason why no tenant's rows are in it."""

    def __init__(self, *, name: str, reason: str, web: str = "", worker: str = "", staff: str = "") -> None:
        self.reason = reason
        self.web, self.worker, self.staff = web, worker, staff
        grants = _grants(web, worker, staff)
        super().__init__(name=name, statements=grants, undo=[_REVOKE] if grants else [])


class SameTenant(TableStatements):
    """A foreign key that includes the tenant: plain ones ignore row security and could point at another tenant's row."""

    def __init__(self, *, name: str, field: str) -> None:
        super().__init__(
            name=name,
            field=field,
            statements=[
                f'ALTER TABLE "{{table}}" ADD CONSTRAINT "{name}" FOREIGN KEY (tenant_id, "{{column}}")'
                ' REFERENCES "{target}" (tenant_id, id) DEFERRABLE INITIALLY DEFERRED'
            ],
            undo=[f'ALTER TABLE "{{table}}" DROP CONSTRAINT "{name}"'],
        )


class SameTenantByNight(SameTenant):
    """The same promise where a foreign key, checked for each row, would cost more than the row: no key at all.

    Row security lets nobody write but into the own tenant, so what is left to go wrong is a row that names a connection
    that is gone, or another tenant's: it stays in its own tenant, where it shows nothing. Whoever writes such rows takes
    the other row first (`FOR KEY SHARE`), whoever deletes that one takes it before what hangs below it, and the
    maintenance names what belongs to none.
    """

    def __init__(self, *, name: str, field: str) -> None:
        TableStatements.__init__(self, name=name, field=field, statements=[], undo=[])


# What foreign keys of other tables stand on: left where row security is taken back, and there already where it is renewed.
_TARGET = (
    "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = '{table}_in_tenant')"
    ' THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$'
)
_REVOKE = f'REVOKE ALL ON "{{table}}" FROM {WEB}, {WORKER}, {STAFF}'


def _grants(web: str, worker: str, staff: str) -> list[str]:
    rights_of_roles = ((WEB, web), (WORKER, worker), (STAFF, staff))
    return [f'GRANT {rights} ON "{{table}}" TO {role}' for role, rights in rights_of_roles if rights]
