"""docs/security.md says what the catalogue and the code say."""

from __future__ import annotations

import re

import pytest
from django.db import connection

from connections.jobs import registry
from tests.house import security_doc, security_words

pytestmark = pytest.mark.django_db


def test_it_is_up_to_date() -> None:
    written = security_doc.PLACE.read_text(encoding="utf-8")
    assert written == security_doc.document(written), "run: python -m tests.house.security_doc"


def test_it_opens_with_who_can_do_what_and_the_honest_sentence() -> None:
    top = security_doc.PLACE.read_text(encoding="utf-8").partition("\n## ")[0]
    for holder in security_doc.HOLDERS:
        assert f"| **{holder}**: " in top
    assert "Row security protects against our own forgotten filters, not against hostile SQL." in top


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("GRANT SELECT (claimed_by) ON vault_grant TO portal_web", "| `vault_grant` | "),
        ("GRANT UPDATE (connection_id) ON vault_credential TO portal_staff", "| `vault_credential` | "),
        ("GRANT SELECT ON sync_streamcursor TO PUBLIC", "| `sync_streamcursor` | "),
        ("ALTER TABLE calls_call NO FORCE ROW LEVEL SECURITY", "| `calls_call` | "),
        ("REVOKE INSERT ON jobs_job FROM portal_web", "Who may insert one: "),
        ("GRANT TRUNCATE ON sync_record TO portal_worker", ""),
    ],
)
def test_a_change_of_rights_shows(change: str, line: str) -> None:
    before = security_doc.generated()
    with connection.cursor() as cursor:
        cursor.execute("REVOKE ALL ON sync_streamcursor FROM portal_web")
        cursor.execute("REVOKE DELETE ON sync_record FROM portal_worker")
        calm = security_doc.generated()
        cursor.execute(change)
    after = security_doc.generated()
    assert after != calm != before
    if line:
        [was] = [each for each in calm.splitlines() if each.startswith(line)]
        assert was not in after.splitlines()


def test_a_role_that_may_be_taken_up_counts_as_the_holders_own() -> None:
    from tests.house.rights import Rights, read_rights

    rights = read_rights()
    assert rights.may_become["portal_web"] == ["portal_staff"]
    lonely = Rights(rights.roles, rights.tables, {role: [] for role in rights.roles}, "", "")
    with_staff, without = (next(security_doc._summary(each)).splitlines()[2] for each in (rights, lonely))
    assert "insert `vault_connection`, `vault_networkexemption`" in with_staff
    assert "`vault_networkexemption`" not in without


@pytest.mark.parametrize("words", ["TABLES", "KINDS", "KEY_COLUMNS", "OPENED_WITH", "CAUSES"])
@pytest.mark.parametrize("is_missing", [True, False])
def test_what_has_no_words_or_is_gone_is_named(words: str, is_missing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    described = dict(getattr(security_words, words))
    name = next(iter(described))
    described |= {} if is_missing else {"of_another_time": described[name]}
    if is_missing:
        del described[name]
    monkeypatch.setattr(security_words, words, described)
    with pytest.raises(LookupError, match=name if is_missing else "of_another_time"):
        security_doc.generated()


def test_a_new_kind_of_job_needs_words(monkeypatch: pytest.MonkeyPatch) -> None:
    new = registry.Kind("sync.everything", "sync", registry.kinds()[0].handler)
    monkeypatch.setitem(registry._KINDS, new.name, new)
    with pytest.raises(LookupError, match=r"sync\.everything"):
        security_doc.generated()


@pytest.mark.parametrize(
    ("table", "column", "role"),
    [
        ("calls_call", "body", "portal_staff"),
        ("vault_credential", "ciphertext", "portal_web"),
        ("vault_credential", "ciphertext", "PUBLIC"),
        ("mfa_authenticator", "data", "portal_worker"),
    ],
)
def test_what_is_said_to_be_out_of_reach_is(table: str, column: str, role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT SELECT ({column}) ON {table} TO {role}")
    with pytest.raises(LookupError, match=rf"{table}\.{column}"):
        security_doc.generated()


def test_what_is_written_by_hand_is_kept() -> None:
    written = security_doc.generated() + security_doc.MARK + "\n## Threat model\n\nBy hand.\n"
    assert security_doc.document(written.replace("vault_credential", "something_else")) == written
    with pytest.raises(LookupError):
        security_doc.document("no mark\n")


def test_what_it_points_to_is_there() -> None:
    written = security_doc.PLACE.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((\.\./[^)]+)\)", written):
        assert (security_doc.PLACE.parent / link).is_file(), link
    tests = "".join(
        path.read_text(encoding="utf-8") for path in (security_doc.REPOSITORY / "tests").rglob("test_*.py")
    )
    named = re.findall(r"`(test_\w+)`", written)
    assert named, "it names the tests that show what it says"
    assert [name for name in named if f"def {name}(" not in tests] == []
