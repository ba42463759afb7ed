"""The schema of a database as lines of text, read from the catalogue; `schema.txt` holds those of a new installation.

`python -m tests.house.schema` writes the file anew after a migration was added; the change of the file shows what it does.
Left out is what has no meaning: the order of columns, the server's version, names of NOT NULL constraints, the owner's own
rights. Partitions are listed by their distance from this month.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("schema.txt")
OURS = "n.nspname = 'public'"
PARTITION = re.compile(r"\btransport_entry_(\d{4})_(\d\d)\b")

_TABLES = f"""
SELECT c.relname, concat_ws(' ', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table'
        WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE c.relkind::text END,
    'of', r.rolname, 'partitioned by ' || pg_get_partkeydef(c.oid),
    CASE WHEN c.relrowsecurity THEN 'with row security' END, CASE WHEN c.relforcerowsecurity THEN 'forced' END,
    CASE WHEN c.relpersistence <> 'p' THEN 'persistence ' || c.relpersistence::text END, c.reloptions::text)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
WHERE {OURS} AND c.relkind NOT IN ('i', 'I', 'c', 't')
"""
_COLUMNS = f"""
SELECT c.relname, concat_ws(' ', 'column', a.attname, format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN 'NOT NULL' END, 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
    CASE WHEN a.attidentity <> '' THEN 'identity ' || a.attidentity::text END,
    CASE WHEN a.attgenerated <> '' THEN 'generated ' || a.attgenerated::text END)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE {OURS} AND c.relkind NOT IN ('i', 'I', 'S', 'c') AND a.attnum > 0 AND NOT a.attisdropped
"""
_CONSTRAINTS = f"""
SELECT c.relname, concat_ws(' ', 'constraint', k.conname, pg_get_constraintdef(k.oid), CASE WHEN NOT k.convalidated THEN 'x' END)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {OURS} AND k.contype <> 'n'
"""
_INDEXES = "SELECT tablename, indexdef FROM pg_indexes n WHERE schemaname = 'public'"
_POLICIES = """
SELECT tablename, concat_ws(' ', 'policy', policyname, permissive, 'FOR', cmd, 'TO',
    array_to_string(array(SELECT unnest(roles)::text ORDER BY 1), ', '), 'USING ' || qual, 'WITH CHECK ' || with_check)
FROM pg_policies WHERE schemaname = 'public'
"""
_RIGHTS = f"""
SELECT acls.relname, concat_ws(' ', coalesce(r.rolname, 'PUBLIC'), 'may', a.privilege_type, acls.attname,
    CASE WHEN a.is_grantable THEN 'and grant it' END)
FROM (
    SELECT c.relname, NULL AS attname, c.relacl AS acl, c.relowner
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OURS}
    UNION ALL
    SELECT c.relname, a.attname, a.attacl, c.relowner FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OURS}
) AS acls CROSS JOIN LATERAL aclexplode(acls.acl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE a.grantee <> acls.relowner
"""
_TRIGGERS = f"""
SELECT c.relname, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OURS} AND NOT t.tgisinternal
"""
_RULES = f"""
SELECT c.relname, pg_get_ruledef(w.oid) FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OURS}
"""
_PARTITIONS = """
SELECT p.relname, concat('partition ', c.relname, ' ', pg_get_expr(c.relpartbound, c.oid)) FROM pg_inherits i
JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid WHERE p.relkind = 'p'
"""
_FUNCTIONS = rf"""
SELECT p.proname,
    concat_ws(' ', regexp_replace(pg_get_functiondef(p.oid), '\s+', ' ', 'g'), 'of', p.proowner::regrole, p.proacl::text)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {OURS}
"""
_TYPES = f"""
SELECT t.typname, 'type ' || t.typtype::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE {OURS} AND t.typtype <> 'b' AND t.typtype <> 'c'
"""
_IN_ADVANCE = "SELECT 'granted in advance', defaclobjtype::text || ' ' || defaclacl::text FROM pg_default_acl"
_QUERIES = (
    _TABLES, _COLUMNS, _CONSTRAINTS, _INDEXES, _POLICIES, _RIGHTS, _TRIGGERS, _RULES, _FUNCTIONS, _TYPES, _IN_ADVANCE,
)  # fmt: skip


def schema_lines(connection: Any) -> list[str]:
    """Every object as a line `name: what it is`, sorted. What all partitions are is told once, as of `transport_entry_N`."""
    lines: set[str] = set()
    partitions: dict[str, set[str]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'UTC'")
        for query in _QUERIES:
            cursor.execute(query)
            for name, text in cursor.fetchall():
                line = f"{name}: {text}"
                if found := PARTITION.search(line):
                    # One line may name its partition in several places, and in names of indexes that are cut.
                    partitions[found.group()].add(re.sub(r"transport_entry_\d{4}_\d\d", "transport_entry_N", line))
                else:
                    lines.add(line)
        cursor.execute(_PARTITIONS)
        listed = {f"{name}: {_by_distance(text)}" for name, text in cursor.fetchall()}
        lines |= {line for line in listed if "of month -1 " not in line}  # the tests' own: tests/databases.py
    shapes = {frozenset(shape) for shape in partitions.values()}
    assert len(shapes) == 1, "every partition is like the others"
    return sorted(lines | set(*shapes))


def _by_distance(text: str) -> str:
    today = datetime.now(timezone.utc).date()

    def distance(year: str, month: str) -> str:
        return f"{(int(year) - today.year) * 12 + int(month) - today.month:+d}"

    text = PARTITION.sub(lambda match: f"of month {distance(*match.groups())}", text)
    return re.sub(r"'(\d{4})-(\d\d)-01 00:00:00\+00'", lambda match: f"month {distance(*match.groups())}", text)


def main() -> None:
    from tests.throwaway import migrated_database

    with migrated_database():
        from django.db import connection, transaction

        with transaction.atomic():
            FILE.write_text("\n".join(schema_lines(connection)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
