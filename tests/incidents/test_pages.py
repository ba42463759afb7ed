"""Where incidents are shown: the list of connections, the connection's page, and to staff."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from portal.incidents.models import Incident, Outage
from tests.incidents.conftest import MENDABLE

pytestmark = pytest.mark.usefixtures("committed_db", "no_checks")


def test_customers_and_staff_see_them(sign_in: Any, client: Any, office: Any, alice: Any, ada: Any) -> None:
    whole = office.connect(alice, 1)
    connection = office.connect(alice, 2)
    office.run(connection, "parts-missed", ("accounts",))
    office.run(connection, MENDABLE)
    page = sign_in(alice)
    home = page.get(reverse("home", args=["aamu"])).content.decode()
    assert home.index("Books 2") < home.index("Books 1"), "problems first"
    assert "ince " in home
    shown = page.get(reverse("connection", args=["aamu", connection.id])).content.decode()
    assert shown.count("<strong>Since") == 2
    assert reverse("checkpoint", args=["aamu", connection.id, "api-key"]) in shown
    assert 'id="incidents"' not in page.get(reverse("connection", args=["aamu", whole.id])).content.decode()
    office.run(connection)
    shown = page.get(reverse("connection", args=["aamu", connection.id])).content.decode()
    assert (shown.count("<strong>Since"), shown.count("Over: from")) == (0, 2)
    incident = Incident.objects.filter(cause=MENDABLE).get()
    outage = Outage.objects.create(provider="procountor", environment="test", opened_at=incident.opened_at)
    page = sign_in(ada)
    for address in (
        reverse("admin:incidents_incident_changelist"),
        reverse("admin:incidents_incident_changelist") + "?over=False",
        reverse("admin:incidents_incident_change", args=[incident.id]),
    ):
        assert MENDABLE in page.get(address).content.decode(), address
    assert page.get(reverse("admin:incidents_outage_changelist")).status_code == 200
    assert page.get(reverse("admin:incidents_outage_change", args=[outage.id])).status_code == 200


def test_our_own_people_subscribe_on_their_page(sign_in: Any, dana: Any, alice: Any) -> None:
    address = reverse("mail_choices")
    page = sign_in(dana)
    assert "Mail me" in page.get(address).content.decode()
    page.post(address, {"staff": "on"})
    assert "Stop these mails" in page.get(address).content.decode()
    page.post(address)
    assert "Mail me" in page.get(address).content.decode()
    page = sign_in(alice)
    page.post(address, {"staff": "on"})
    assert "As one of our staff" not in page.get(address).content.decode()
