"""Marks that were called done, or open, while a person's word was still to come are unconfirmed now."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models import Exists, OuterRef, Subquery

COMPANY_FOUND = ["company-found", "books-seen", "books-empty"]
WAITING = ["books-again", "books-again-empty", "certificate-shown"]
SCOPES = ["scope-unsaid", "scope-enough"]


def set_unconfirmed(apps: Any, schema_editor: Any) -> None:
    """By what stands behind each mark: nothing here is looked up in a provider's description, which may change.

    No connection is touched. Of one that stands, the company that a person confirmed stays verified.
    """
    mark, evidence = apps.get_model("onboarding", "Mark"), apps.get_model("onboarding", "Evidence")
    of_mark = evidence.objects.filter(mark=OuterRef("id"))
    now = of_mark.filter(state=OuterRef("state")).order_by("-at", "-id")
    # What was kept as it was since, because nobody could be asked, has a finding behind its newest evidence.
    found = [
        # Whoever confirms the company ends the set-up with it, so nobody has confirmed this one.
        (
            mark.objects.filter(Exists(now.filter(code__in=COMPANY_FOUND)), onboarding__connection__state="setup"),
            {"state": "verified", "checkpoint": "company"},
            COMPANY_FOUND,
        ),
        (mark.objects.annotate(code=Subquery(now.values("code")[:1])), {"state": "open", "code__in": WAITING}, WAITING),
        # That the key belongs to this user was found; that it is a technical one, nobody has said of this user.
        (mark.objects.filter(Exists(now.filter(code="user-seen"))), {"state": "inferred"}, ["user-seen"]),
    ]
    for marks, wanted, codes in found:
        for row in list(marks.filter(**wanted)):
            mark.objects.filter(id=row.id).update(state="unconfirmed")
            # What a page offers to confirm is the newest finding of the mark's own state; the old one is kept as it was.
            before = evidence.objects.filter(mark=row, code__in=codes).order_by("at", "id").last()
            again = {name: getattr(before, name) for name in ("tenant_id", "code", "values", "entry_id")}
            evidence.objects.create(
                mark=row, state="unconfirmed", provider_request_id=before.provider_request_id, **again
            )
    # The provider did not say, so nothing was proved: open until the next green run, which has it asked list by list.
    told = now.filter(code__in=SCOPES).values("code")[:1]
    unsaid = mark.objects.annotate(code=Subquery(told)).filter(state="verified", code="scope-unsaid")
    mark.objects.filter(id__in=list(unsaid.values_list("id", flat=True))).update(
        state="open", checked_at=None, asked_at=None
    )


def set_back(apps: Any, schema_editor: Any) -> None:
    """What the release before knows: what is unconfirmed is open there, and found again by a check."""
    for name in ("Mark", "Evidence"):
        apps.get_model("onboarding", name).objects.filter(state="unconfirmed").update(state="open")


class Migration(migrations.Migration):
    dependencies = [("onboarding", "0005_unconfirmed_marks"), ("vault", "0009_way_is_chosen_once")]

    operations = [migrations.RunPython(set_unconfirmed, set_back)]
