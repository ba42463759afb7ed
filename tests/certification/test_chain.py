"""The chain of evidence: one changed byte in any row is found and named, and what retention deletes is no finding."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from connections.tenancy import audit
from connections.tenancy.models import AuditEvent, SystemAuditEvent
from connections.tenancy.scope import SYSTEM, tenant_scope
from portal.certification import chain
from portal.certification.models import HOUSE, CertificationReport, ChainLink
from portal.onboarding.models import Evidence, Mark
from portal.onboarding.services import begin
from portal.operations import maintenance
from tests.roles import acting_as
from tests.support.conftest import certification_report

OLD = timezone.now() - chain.SHORTEST_KEPT - timedelta(days=3)


@pytest.fixture
def rows(aamu: Any, alice: Any, settings: Any) -> dict[str, Any]:
    """A linked row of every trail, by its name, with others beside it."""
    with tenant_scope(aamu.id):
        onboarding = begin(tenant=aamu, provider="procountor", environment="test", actor=alice.actor)
        mark = Mark.objects.filter(onboarding=onboarding).first() or Mark(
            tenant=aamu, onboarding=onboarding, checkpoint="x"
        )
        mark.save()
        evidence = Evidence(tenant=aamu, mark=mark, state="verified", code="rights-only", values={"rights": "a, b"})
        evidence.save(force_insert=True)
        for number in range(3):
            audit.record(tenant_id=aamu.id, actor=SYSTEM, action="tried", subject=str(number), number=number)
    for number in range(3):
        audit.record_system(actor=SYSTEM, action="tried", subject=str(number))
    report = certification_report()
    assert chain.link_new_rows() == AuditEvent.objects.count() + SystemAuditEvent.objects.count() + 2
    return {
        "audit": AuditEvent.objects.get(subject="1"),
        "system": SystemAuditEvent.objects.get(subject="1"),
        "evidence": evidence,
        "report": report,
    }


def findings() -> list[tuple[str, str, Any]]:
    return [(each.words, each.trail, each.row_id) for each in chain.verify()]


def test_what_is_as_it_was_has_no_finding_and_is_linked_once(rows: dict[str, Any]) -> None:
    assert findings() == []
    assert chain.link_new_rows() == 0
    assert findings() == []


def test_every_column_of_every_trail_is_watched(rows: dict[str, Any]) -> None:
    """But for the second computation of a report, which says of itself what it compares."""
    unwatched = {"again_asked_at", "again_at", "again_digest", "state"}
    for trail in chain.TRAILS:
        columns = {field.column for field in trail.model._meta.concrete_fields}
        assert columns - set(trail.columns) <= (unwatched if trail.model is CertificationReport else set())


@pytest.mark.parametrize("trail", chain.TRAILS, ids=[trail.name for trail in chain.TRAILS])
def test_one_changed_byte_is_found_and_named(rows: dict[str, Any], trail: chain.Trail) -> None:
    row = rows[trail.name]
    for field in trail.model._meta.concrete_fields:
        if field.primary_key or field.column not in trail.columns or field.is_relation or field.name == "mark":
            continue
        before = getattr(row, field.attname)
        changed = {
            "CharField": lambda value: f"{value}.",
            "TextField": lambda value: value.replace("a", "b", 1),
            "JSONField": lambda value: {**value, "more": 1},
            "BigIntegerField": lambda value: (value or 0) + 1,
            "DateTimeField": lambda value: value + timedelta(microseconds=1),
            "DateField": lambda value: value + timedelta(days=1),
            "UUIDField": lambda value: row.pk,
        }
        kind = next(name for name in (field.get_internal_type(), "CharField") if name in changed)
        new = "test" if field.name == "environment" and before != "test" else changed[kind](before)
        own = trail.model._default_manager.filter(pk=row.pk)
        longest = getattr(field, "max_length", None)
        own.update(**{field.attname: new[-longest:] if isinstance(new, str) and longest else new})
        assert findings() == [("the row was changed", trail.name, row.pk)], field.name
        own.update(**{field.attname: before})
    assert findings() == []


def test_rows_that_are_gone_or_were_added_afterwards_are_named(rows: dict[str, Any]) -> None:
    rows["system"].delete()
    assert findings() == [("the row is missing", "system", ChainLink.objects.get(row_id__in=_ids("system")).row_id)]
    SystemAuditEvent(action="invented", happened_at=timezone.now() - timedelta(days=9)).save(force_insert=True)
    late = SystemAuditEvent.objects.get(action="invented")
    assert ("the row was added afterwards", "system", late.id) in findings()


def _ids(trail: str) -> list[Any]:
    """Of linked rows that are not there."""
    linked = set(ChainLink.objects.filter(trail=trail).values_list("row_id", flat=True))
    return list(linked - set(SystemAuditEvent.objects.values_list("id", flat=True)))


@pytest.mark.parametrize("column", ["row_hash", "row_id", "note", "trail", "row_at"])
def test_a_changed_link_is_named(rows: dict[str, Any], column: str) -> None:
    link = ChainLink.objects.filter(trail="audit").order_by("position")[1]
    values = {"row_hash": "1" * 64, "row_id": HOUSE, "note": "x", "trail": "other", "row_at": OLD}
    ChainLink.objects.filter(pk=link.pk).update(**{column: values[column]})
    found = [str(each) for each in chain.verify()]
    assert any(each.startswith("the link was changed") and f"link {link.position} of tenant" in each for each in found)


def test_a_link_that_was_taken_out_and_a_chain_that_was_written_anew_are_named(
    rows: dict[str, Any], aamu: Any
) -> None:
    own = ChainLink.objects.filter(chain=aamu.id).order_by("position")
    with transaction.atomic():
        own[1].delete()
        assert "links before it are missing" in {each.words for each in chain.verify()}
        transaction.set_rollback(True)
    # Whoever writes a whole chain anew does not have the head that the house knows.
    rows["audit"].delete()
    own.delete()
    chain.link_new_rows()
    assert any(each.words.startswith("a chain has lost the head") for each in chain.verify())


def test_retention_is_no_finding_and_a_deletion_beside_it_is(rows: dict[str, Any]) -> None:
    for number in range(2):
        SystemAuditEvent(action="old", subject=str(number), happened_at=OLD).save(force_insert=True)
    AuditEvent(tenant=rows["audit"].tenant, action="old", happened_at=OLD).save(force_insert=True)
    ChainLink.objects.all().delete()
    chain.link_new_rows()
    linked = ChainLink.objects.filter(row_at__lt=timezone.now() - chain.SHORTEST_KEPT).count()
    said = maintenance._delete_audit_events()
    assert (linked, said) == (3, "Deleted 3 audit events older than two years.")
    assert findings() == []
    assert ChainLink.objects.filter(row_at=OLD).count() == linked  # their hashes stay
    rows["audit"].delete()
    assert [words for words, *_ in findings()] == ["the row is missing"]
    # A link that claims a retention of what is younger excuses nothing.
    chain.note_retention("audit", timezone.now())
    assert [words for words, *_ in findings()] == ["the row is missing"]


def test_no_process_writes_a_link(rows: dict[str, Any]) -> None:
    for role in ("web", "worker", "staff"):
        with acting_as(role), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            ChainLink.objects.update(note="x")


def test_the_command_names_what_was_changed(rows: dict[str, Any]) -> None:
    out = io.StringIO()
    call_command("evidence", "--link", stdout=out)
    assert "Everything is as it was linked." in out.getvalue()
    AuditEvent.objects.filter(pk=rows["audit"].pk).update(subject="2")
    with pytest.raises(CommandError, match="1 findings"):
        call_command("evidence", stdout=out)
    assert f"the row was changed: audit {rows['audit'].pk} (link" in out.getvalue()
    checks = ChainLink.objects.filter(trail=chain.CHECK).order_by("position").values_list("note", flat=True)
    assert list(checks) == ["0", "1"]
    assert "broken at 1 places" in maintenance._verify_evidence()


def test_a_row_has_the_same_hash_in_every_time_zone(rows: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone = 'Asia/Tehran'")
    assert [each for trail in chain.TRAILS for each in chain._changed_rows(trail, None)] == []
