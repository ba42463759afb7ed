"""Marks that were called done, or open, while a person's word was still to come are unconfirmed now."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models import F, OuterRef, Subquery


def set_unconfirmed(apps: Any, schema_editor: Any) -> None:
    """By what stands behind each mark: nothing here is looked up in a provider's description, which may change."""
    mark, evidence = apps.get_model("onboarding", "Mark"), apps.get_model("onboarding", "Evidence")
    newest = evidence.objects.filter(mark=OuterRef("id"), state=OuterRef("state")).order_by("-at", "-id")
    marks = mark.objects.annotate(code=Subquery(newest.values("code")[:1]), who=Subquery(newest.values("actor_name")[:1]))
    found = [
        marks.filter(
            state="verified",
            checkpoint="company",
            onboarding__connection__state="setup",
            code__in=["company-found", "books-seen", "books-empty"],
        ),
        marks.filter(state="open", code__in=["books-again", "books-again-empty", "certificate-shown"]),
        marks.filter(state="inferred", code="user-seen"),
    ]
    ids = [key for rows in found for key in rows.values_list("id", flat=True)]
    mark.objects.filter(id__in=ids).update(state="unconfirmed")
    # What a page offers to confirm is the newest finding of the mark's own state; the old one is kept as it was.
    for row in mark.objects.filter(id__in=ids):
        before = evidence.objects.filter(mark=row).exclude(values={}).order_by("at", "id").last()
        if before is not None:
            again = {name: getattr(before, name) for name in ("tenant_id", "code", "values", "entry_id")}
            evidence.objects.create(
                mark=row, state="unconfirmed", provider_request_id=before.provider_request_id, **again
            )
    # Nothing was asked for these: they are open until the next check, which the next green run brings.
    unsaid = marks.filter(state="verified", code="scope-unsaid").values_list("id", flat=True)
    mark.objects.filter(id__in=list(unsaid)).update(state="open", checked_at=None, asked_at=None, since=F("since"))


def set_back(apps: Any, schema_editor: Any) -> None:
    """What the release before knows: what is unconfirmed is open there, and found again by a check."""
    for name in ("Mark", "Evidence"):
        apps.get_model("onboarding", name).objects.filter(state="unconfirmed").update(state="open")


class Migration(migrations.Migration):
    dependencies = [("onboarding", "0005_unconfirmed_marks"), ("vault", "0009_way_is_chosen_once")]

    operations = [migrations.RunPython(set_unconfirmed, set_back)]
