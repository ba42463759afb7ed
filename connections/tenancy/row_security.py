"""Row security, rights and same-tenant foreign keys as constraints, so that `makemigrations` writes them into migrations."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement

OWNER, WEB, WORKER, STAFF = "portal_owner", "portal_web", "portal_worker", "portal_staff"

# A scope that was set and ended leaves '' behind, not NULL; without a scope there are no rows and no error.
IN_SCOPE = "tenant_id = (SELECT NULLIF(current_setting('portal.tenant_id', true), '')::uuid)"
IN_PERSON = "{column} = (SELECT NULLIF(current_setting('portal.user_id', true), '')::bigint)"


def grants_sql(table: str, *, web: str = "", worker: str = "", staff: str = "") -> list[str]:
    """GRANT statements; each argument lists privileges as PostgreSQL spells them, `SELECT, UPDATE (state)`."""
    by_role = ((WEB, web), (WORKER, worker), (STAFF, staff))
    return [f'GRANT {rights} ON "{table}" TO {role}' for role, rights in by_role if rights]


def row_security_sql(
    table: str, *, web: str = "", worker: str = "", staff: str = "", person: str = "", parent: bool = True
) -> list[str]:
    """SQL statements that switch row security on for one table. `parent`: other tables may point at it with their tenant."""
    statements = [
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
        f'CREATE POLICY owner ON "{table}" TO {OWNER} USING (true) WITH CHECK (true)',
        f'CREATE POLICY tenant ON "{table}" TO {WEB}, {WORKER} USING ({IN_SCOPE}) WITH CHECK ({IN_SCOPE})',
    ]
    if person:
        statements.append(
            f'CREATE POLICY person ON "{table}" FOR SELECT TO {WEB} USING ({IN_PERSON.format(column=person)})'
        )
    if staff:
        statements.append(f'CREATE POLICY staff ON "{table}" TO {STAFF} USING (true) WITH CHECK (true)')
    if parent:
        # Left in place when row security is switched on anew, as foreign keys of other tables stand on it.
        statements.append(
            f"DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = '{table}_in_tenant')"  # noqa: S608  # nosec B608
            f' THEN ALTER TABLE "{table}" ADD CONSTRAINT "{table}_in_tenant" UNIQUE (tenant_id, id); END IF; END $$'
        )
    return statements + grants_sql(table, web=web, worker=worker, staff=staff)


def drop_row_security_sql(table: str) -> list[str]:
    """SQL statements that undo `row_security_sql`, rights included."""
    drops = [f'DROP POLICY IF EXISTS {policy} ON "{table}"' for policy in ("owner", "tenant", "person", "staff")]
    return [
        *drops,
        f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
        f'REVOKE ALL ON "{table}" FROM {WEB}, {WORKER}, {STAFF}',
    ]


class TableStatements(models.BaseConstraint):
    """A constraint that is made of whole statements, run after the table stands."""

    def statements(self, model: type[models.Model]) -> list[str]:
        """The SQL that makes the constraint, in order."""
        raise NotImplementedError

    def undo(self, model: type[models.Model]) -> list[str]:
        """The SQL that takes it away."""
        raise NotImplementedError

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        # Returns nothing to stand inside CREATE TABLE.
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        return Statement("; ".join(self.statements(model)).replace("%", "%%") + ";")

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        return Statement("; ".join(self.undo(model)).replace("%", "%%") + ";")

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """The database refuses; there is nothing to judge on one instance."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.deconstruct() == self.deconstruct()

    __hash__ = models.BaseConstraint.__hash__


class RowSecurity(TableStatements):
    """Row security for a tenant-owned table, with each role's rights. `person` names a column a user may read own rows by."""

    def __init__(self, *, name: str, web: str = "", worker: str = "", staff: str = "", person: str = "") -> None:
        super().__init__(name=name)
        self.web, self.worker, self.staff = web, worker, staff
        self.person = person

    def statements(self, model: type[models.Model]) -> list[str]:
        return row_security_sql(
            model._meta.db_table, person=self.person, web=self.web, worker=self.worker, staff=self.staff
        )

    def undo(self, model: type[models.Model]) -> list[str]:
        return drop_row_security_sql(model._meta.db_table)

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return (
            path,
            args,
            {
                **kwargs,
                "web": self.web,
                "worker": self.worker,
                "staff": self.staff,
                "person": self.person,
            },
        )


class NoRowSecurity(TableStatements):
    """A table without row security: rights only, and the reason why no tenant owns its rows."""

    def __init__(self, *, name: str, reason: str, web: str = "", worker: str = "", staff: str = "") -> None:
        super().__init__(name=name)
        self.reason = reason
        self.web, self.worker, self.staff = web, worker, staff

    def statements(self, model: type[models.Model]) -> list[str]:
        return grants_sql(model._meta.db_table, web=self.web, worker=self.worker, staff=self.staff) or ["SELECT 1"]

    def undo(self, model: type[models.Model]) -> list[str]:
        return [f'REVOKE ALL ON "{model._meta.db_table}" FROM {WEB}, {WORKER}, {STAFF}']

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return (
            path,
            args,
            {
                **kwargs,
                "reason": self.reason,
                "web": self.web,
                "worker": self.worker,
                "staff": self.staff,
            },
        )


class SameTenant(TableStatements):
    """A foreign key that includes the tenant: plain ones ignore row security and could point at another tenant's row."""

    def __init__(self, *, name: str, field: str) -> None:
        super().__init__(name=name)
        self.field = field

    def statements(self, model: type[models.Model]) -> list[str]:
        field = model._meta.get_field(self.field)
        target = field.related_model._meta.db_table  # type: ignore[union-attr]
        return [
            f'ALTER TABLE "{model._meta.db_table}" ADD CONSTRAINT "{self.name}" '
            f'FOREIGN KEY (tenant_id, "{field.column}") REFERENCES "{target}" (tenant_id, id) '  # type: ignore[union-attr]
            "DEFERRABLE INITIALLY DEFERRED"
        ]

    def undo(self, model: type[models.Model]) -> list[str]:
        return [f'ALTER TABLE "{model._meta.db_table}" DROP CONSTRAINT IF EXISTS "{self.name}"']

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "field": self.field}


def run_all(schema_editor: BaseDatabaseSchemaEditor, statements: list[str]) -> None:
    """For migrations."""
    for statement in statements:
        schema_editor.execute(statement, params=None)
