"""Writes the tables of docs/security.md: what each database role and process can read, write and cause.

python -m tests.house.security_doc

The rights come from the catalogue of a database that has every migration, the sealed columns, jobs and keys from the code,
and the words beside them from security_words.py; a table or kind of job without words is an error. What stands below the
mark is written by hand and kept.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.house import security_words as words
from tests.house.security_sealed import protected, readers_and_writers, require_words, role_name, sealed, table

if TYPE_CHECKING:
    from tests.house.rights import Rights, Table

REPOSITORY = Path(__file__).resolve().parents[2]
PLACE = REPOSITORY / "docs" / "security.md"
MARK = "<!-- Above: written by `python -m tests.house.security_doc`. Below: written by hand. -->\n"
HEAD = """# Security

What somebody can do who has stolen a part of this installation. This table and those up to [the threat
model](#threat-model) are written by `python -m tests.house.security_doc` from the database's catalogue and the code; a
test fails when they are out of date.
"""
HONEST = """**Row security protects against our own forgotten filters, not against hostile SQL.** Whoever has the login may set
`portal.tenant_id` to any tenant: `SELECT set_config('portal.tenant_id', '<any tenant>', true)`. So of tables behind row
security, "read" and "change" below mean the rows of every tenant, one tenant after the other.
"""
HOLDERS = {
    "web login": "the database login `{web}` alone; it may also become {become}",
    "staff role": "`{staff}`, as admin pages use it",
    "web process": "the web login, its environment, its key file and code execution",
    "worker": "the database login `{worker}`, the KEK and code execution",
}


def document(written: str) -> str:
    """The whole page; `written` is the page as it is, whose lower part is kept. Raises LookupError for missing words."""
    _top, mark, by_hand = written.partition(MARK)
    if not mark:
        message = "docs/security.md has lost the mark between its two parts"
        raise LookupError(message)
    return generated() + MARK + by_hand


def generated() -> str:
    from tests.house.rights import read_rights

    rights = read_rights()
    require_words(set(rights.tables), set(words.TABLES), "table")
    return "\n".join(
        [HEAD, *_summary(rights), HONEST, *sealed(rights), *_tables(rights), *_jobs(rights), *_keys(rights)]
    )


# -- the first table ---------------------------------------------------------------------------------------------------


def _summary(rights: Rights) -> Iterator[str]:
    from connections.tenancy.row_security import STAFF, WEB, WORKER

    become = ", ".join(f"`{role}`" for role in sorted(rights.may_become[WEB])) or "nobody"
    holders: dict[str, tuple[set[str], str]] = {
        "web login": ({WEB, *rights.may_become[WEB]}, ""),
        "staff role": ({STAFF, *rights.may_become[STAFF]}, ""),
        "web process": ({WEB, *rights.may_become[WEB]}, "web keyset"),
        "worker": ({WORKER, *rights.may_become[WORKER]}, "KEK"),
    }
    require_words(set(HOLDERS), set(words.CAUSES), "holder")
    rows, before = [], dict[frozenset[str], str]()
    for name, (roles, key) in holders.items():
        who = HOLDERS[name].format(web=WEB, staff=STAFF, worker=WORKER, become=become)
        same = before.get(frozenset(roles))
        writes = f"as the {same}" if same else _writes(rights, roles)
        caused = [f"all that the {same} causes"] if same else _caused(rights, roles)
        causes = "; ".join([*caused, *filter(None, [words.CAUSES[name]])])
        causes += f".<br>Out of reach: {_out_of_reach(rights, roles, name)}."
        rows.append((f"**{name}**: {who}", _reads(rights, roles, key), writes, causes))
        before.setdefault(frozenset(roles), name)
    yield table(("Who has", "reads", "writes", "causes"), rows)


def _reads(rights: Rights, roles: set[str], key: str) -> str:
    closed = protected()
    opened = [name for name, with_key in closed.items() if with_key == key and rights.has(roles, name, "SELECT")]
    said = [f"**protected columns in clear: {_count(len(opened), len(closed))}**"]
    for group, (_title, heading) in words.GROUPS.items():
        if group == words.SECRETS:
            continue
        tables = _of(rights, group)
        whole = [each for each in tables if each.readable(roles) == set(each.columns)]
        partly = [each for each in tables if each not in whole and each.readable(roles)]
        more = f", parts of {len(partly)} more" if partly else ""
        said.append(f"{heading}: {_count(len(whole), len(tables))} tables{more}")
    return "<br>".join(said)


def _writes(rights: Rights, roles: set[str]) -> str:
    said = []
    for group, (_title, heading) in words.GROUPS.items():
        tables = _of(rights, group)
        if group in (words.SECRETS, words.AIMS):
            can = {
                verb: [f"`{each.name}`" for each in tables if each.does(roles, privilege)]
                for verb, privilege in (("insert", "INSERT"), ("change", "UPDATE"), ("delete", "DELETE"))
            }
            told = "; ".join(f"{verb} {', '.join(names)}" for verb, names in can.items() if names)
            said.append(f"**{heading}**: {told or 'nothing'}")
        else:
            some = [each for each in tables if any(each.does(roles, p) for p in ("INSERT", "UPDATE", "DELETE"))]
            said.append(f"**{heading}**: {_count(len(some), len(tables))} tables")
    return "<br>".join(said)


def _caused(rights: Rights, roles: set[str]) -> list[str]:
    """Raises KeyError where a cause names no column of the catalogue."""
    return [
        sentence
        for (name, column, privilege), sentence in words.CAUSED_BY.items()
        if rights.has(roles, f"{name}.{column}", privilege)
    ]


def _out_of_reach(rights: Rights, roles: set[str], holder: str) -> str:
    """Raises LookupError where it is within reach."""
    columns = words.OUT_OF_REACH[holder]
    if reached := [column for column in columns.values() if rights.has(roles, column, "SELECT")]:
        message = f"said to be out of reach of the {holder}, which reads them: {', '.join(reached)}"
        raise LookupError(message)
    return ", ".join(columns)


def _count(some: int, of: int) -> str:
    return f"{'all' if some == of else some or 'none'} of {of}"


def _of(rights: Rights, group: str) -> list[Table]:
    return [rights.tables[name] for name, (its_group, _sentence) in words.TABLES.items() if its_group == group]


# -- tables ------------------------------------------------------------------------------------------------------------


def _tables(rights: Rights) -> Iterator[str]:
    yield "## Tables\n"
    yield (
        "`tenant`: row security shows the rows of the tenant that the session names, and staff all rows where they have a"
        " right. `person`: besides, a person's own rows. `off`: every row.\n"
    )
    untouched = []
    for group, (title, _heading) in words.GROUPS.items():
        rows = []
        for each in _of(rights, group):
            if not any(each.can[role][privilege] for role in rights.roles for privilege in each.can[role]):
                untouched.append(each.name)
                continue
            cells = [each.said(role) for role in rights.roles]
            rows.append((f"`{each.name}`", each.row_security, *cells, words.TABLES[each.name][1]))
        yield f"### {title}\n"
        yield table(("Table", "Row security", *map(role_name, rights.roles), "What it means"), rows)
    if untouched:
        yield f"No right for anybody but the owner: {', '.join(f'`{name}`' for name in sorted(untouched))}.\n"
    yield f"Rights on sequences: {rights.sequences or 'none'}. Functions of our own: {rights.functions or 'none'}.\n"


# -- jobs and keys -----------------------------------------------------------------------------------------------------


def _jobs(rights: Rights) -> Iterator[str]:
    from connections.jobs import registry

    ours = {
        kind.name: kind for kind in registry.kinds() if kind.handler.__module__.startswith(("connections.", "portal."))
    }
    require_words(set(ours), set(words.KINDS), "kind of job")
    who = [role_name(role) for role in rights.roles if rights.tables["jobs_job"].does({role}, "INSERT")]
    yield "## Jobs\n"
    yield f"Who may insert one: {', '.join(who)}. What follows when it is inserted for a subject of one's choice:\n"
    yield table(
        ("Kind", "Queue", "What a worker does"), [(f"`{n}`", ours[n].queue, words.KINDS[n]) for n in sorted(ours)]
    )


def _keys(rights: Rights) -> Iterator[str]:
    columns = {
        f"{each.name}.{column}"
        for each in rights.tables.values()
        for column in each.columns
        if column.endswith("_keyset")
    }
    require_words(columns, set(words.KEY_COLUMNS), "column of a key")
    yield "## Keys\n"
    yield table(("Key", "Made by", "Where it is", "What for", "Life"), words.KEYS)
    rows = [(words.KEY_COLUMNS[name], f"`{name}`", *readers_and_writers(rights, name)) for name in sorted(columns)]
    yield table(("Pair", "Column", "Read by", "Written by"), rows)
    yield "What each process refuses to start with, or without:\n"
    yield table(("Process", "must hold", "must not hold"), _held())


def _held() -> Iterator[tuple[str, str, str]]:
    from django.test import override_settings

    from portal.operations import checks

    names = {"KEK_FILE": "KEK", "WEB_KEYSET_FILE": "web keyset"}
    for process in ("web", "worker", "beat"):
        with override_settings(PROCESS=process, **dict.fromkeys(names, "")):
            missing = " ".join(str(message.msg) for message in checks.key_files())
        with override_settings(PROCESS=process, **dict.fromkeys(names, "/nowhere")):
            foreign = " ".join(str(m.msg) for m in checks.key_files() if "must not" in str(m.msg))
        yield (
            process,
            ", ".join(name for setting, name in names.items() if f"PORTAL_{setting}" in missing) or "none",
            ", ".join(name for setting, name in names.items() if f"PORTAL_{setting}" in foreign) or "none",
        )


def main() -> None:
    from tests.throwaway import migrated_database

    with migrated_database():
        PLACE.write_text(document(PLACE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PLACE.relative_to(REPOSITORY)} written\n")


if __name__ == "__main__":
    main()
