"""An owner says, with a reason, that a step is not needed: it counts as left out, is shown as that, and can be taken back."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from connections.jobs.models import Job
from connections.tenancy.models import AuditEvent
from portal.incidents.models import Incident
from portal.onboarding.marks import ask_check
from portal.onboarding.models import Mark
from tests.onboarding.test_engine import live, walker
from tests.onboarding.test_watch import Nights, nights, office, take_right, world

__all__ = ["live", "nights", "office", "walker", "world"]  # fixtures
pytestmark = pytest.mark.usefixtures("committed_db")
REASON = "We read invoices alone."


def press(client: Any, connection: Any, checkpoint: str, **data: str) -> str:
    address = reverse("waive_checkpoint", args=["aamu", connection.id, checkpoint])
    return str(client.post(address, data, follow=True).content.decode())


def test_what_an_owner_waives_stays_so_whatever_a_check_finds_wrong(
    nights: Nights, sign_in: Any, bob: Any, world: Any
) -> None:
    connection = nights.connect()
    take_right(world, connection)
    nights.pass_one()
    assert nights.changed(connection) == {"rights": "failing"}
    client = sign_in(nights.who)
    page = client.get(reverse("checkpoint", args=["aamu", connection.id, "rights"])).content.decode()
    assert "Not needed here?" in page
    assert "Say in a sentence" in press(client, connection, "rights", reason=" ")
    assert sign_in(bob).post(reverse("waive_checkpoint", args=["aamu", connection.id, "rights"])).status_code == 404

    press(client, connection, "rights", reason=REASON)
    nights.office.work_off()
    assert nights.changed(connection) == {"rights": "waived"}
    assert not Incident.objects.filter(closed_at=None).exists()
    page = client.get(reverse("checkpoint", args=["aamu", connection.id, "rights"])).content.decode()
    assert "alice@aamu.example decided that this is not needed here: “We read invoices alone.”" in page
    event = AuditEvent.objects.get(action="checkpoint.waived")
    assert (event.details["checkpoint"], event.details["reason"]) == ("rights", REASON)
    nights.pass_one()
    with nights.office.scope("web"):
        ask_check(mark=nights.mark(connection, "rights"))
    nights.office.work_off()
    assert nights.changed(connection) == {"rights": "waived"}
    assert not Job.objects.filter(kind="onboarding.check", state="queued").exists()

    world.rights[connection.id] = world.rights[nights.connect(2).id]
    with nights.office.scope("web"):
        ask_check(mark=nights.mark(connection, "rights"))
    nights.office.work_off()
    assert nights.changed(connection) == {}, "what is proved is no longer anybody's word"


def test_it_can_be_taken_back(nights: Nights, sign_in: Any, world: Any) -> None:
    connection = nights.connect()
    take_right(world, connection)
    nights.pass_one()
    client = sign_in(nights.who)
    press(client, connection, "rights", reason=REASON)
    assert "this is needed after all" in press(client, connection, "rights", end="yes")
    assert nights.changed(connection) == {"rights": "open"}
    assert AuditEvent.objects.filter(action="checkpoint.waiver_ended").count() == 1


@pytest.mark.parametrize("checkpoint", ["technical-user", "api-key", "company", "first-sync"])
def test_access_company_and_first_sync_cannot_be_waived(
    walker: Any, checkpoint: str, sign_in: Any, alice: Any
) -> None:
    client = sign_in(alice)
    page = press(client, walker.connection(), checkpoint, reason=REASON)
    assert "This step cannot be left out" in page
    assert Mark.objects.get(checkpoint=checkpoint).state == "open"
    page = client.get(reverse("checkpoint", args=["aamu", walker.connection().id, checkpoint])).content.decode()
    assert "Not needed here?" not in page
