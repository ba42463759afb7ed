"""A certificate is trusted only by somebody whose page showed it: what waits may change before the button is pressed."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connections.spec.checklist import MarkState
from connections.tenancy.models import AuditEvent
from connections.tenancy.scope import tenant_scope
from connections.vault.models import Connection, Pin
from portal.onboarding import services
from portal.onboarding.models import Mark

pytestmark = pytest.mark.usefixtures("db")
HOSTS = ("api.example:443", "login.example:443")
OURS, THEIRS = "AA:01", "EE:99"


class Comparing:
    """Alice, on the page where the certificates of two hosts wait to be compared."""

    def __init__(self, client: Any, connection: Connection) -> None:
        self.client, self.connection = client, connection
        self.place = f"/t/aamu/c/{connection.id}/checklist/certificate/"

    def shows(self, host: str, sha256: str) -> None:
        """What a check does that meets another certificate there: the one that waited goes."""
        now = timezone.now()
        with tenant_scope(self.connection.tenant_id):
            Pin.objects.filter(host=host, confirmed_at=None).delete()
            Pin(
                tenant_id=self.connection.tenant_id, connection=self.connection, host=host, certificate="PEM",
                sha256=sha256, ends_at=now + timedelta(days=9), seen_at=now,
            ).save(force_insert=True)  # fmt: skip

    def form(self) -> dict[str, str]:
        """The fields of the form under the fingerprints, as a browser sends them back."""
        page = self.client.get(self.place).content.decode()
        form = re.search(r'<form method="post" action="[^"]+/confirm/">(.*?)</form>', page, re.S)
        assert form, page
        fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[1])
        return {name: html.unescape(value) for name, value in fields}

    def press(self, fields: dict[str, str]) -> str:
        return str(self.client.post(f"{self.place}confirm/", fields, follow=True).content.decode())

    def trusted(self) -> set[tuple[str, str]]:
        with tenant_scope(self.connection.tenant_id):
            return set(Pin.objects.exclude(confirmed_at=None).values_list("host", "sha256"))


@pytest.fixture
def comparing(aamu: Any, alice: Any, sign_in: Any, sandbox: Any) -> Comparing:
    with tenant_scope(aamu.id):
        begun = services.begin(tenant=aamu, provider="pentamic", environment="sandbox", actor=alice.actor)
    page = Comparing(sign_in(alice), begun.connection)
    for host in HOSTS:
        page.shows(host, OURS)
    return page


def test_what_the_page_showed_is_trusted_once_it_is_confirmed(comparing: Comparing) -> None:
    comparing.press(comparing.form())
    assert comparing.trusted() == {(host, OURS) for host in HOSTS}
    assert AuditEvent.objects.filter(action="certificate.confirmed").count() == 2


def test_certificates_that_were_confirmed_are_done_before_the_connection_stands(comparing: Comparing) -> None:
    comparing.press(comparing.form())
    Mark.objects.filter(checkpoint__in=["ask", "addresses", "certificate"]).update(state=MarkState.VERIFIED)
    page = comparing.client.get(comparing.place).content.decode()
    assert "3 of 6 done" in page
    assert 'id="confirm"' not in page


def test_a_certificate_that_came_after_the_page_is_not_trusted_by_it(comparing: Comparing) -> None:
    old = comparing.form()
    comparing.shows(HOSTS[1], THEIRS)
    page = comparing.press(old)
    assert comparing.trusted() == set()
    assert "Compare again" in page
    assert THEIRS in page, "the one to compare now"
    assert not AuditEvent.objects.filter(action="certificate.confirmed").exists()
    comparing.press(comparing.form())
    assert comparing.trusted() == {(HOSTS[0], OURS), (HOSTS[1], THEIRS)}


def test_a_certificate_of_another_host_is_not_the_one_that_was_compared(comparing: Comparing) -> None:
    comparing.shows(HOSTS[1], THEIRS)
    old = comparing.form()
    comparing.shows(HOSTS[0], THEIRS)
    comparing.shows(HOSTS[1], OURS)
    comparing.press(old)
    assert comparing.trusted() == set()


def test_what_cannot_be_read_confirms_nothing(comparing: Comparing) -> None:
    assert "This request could not be read" in comparing.press({"compared": "\x00"})
    assert comparing.trusted() == set()


@pytest.mark.parametrize(
    "fields", [{}, {"compared": ""}, {"compared": f"{HOSTS[0]}={OURS}"}, {"compared": "\ufffd"}], ids=str
)
def test_a_form_that_does_not_say_everything_that_was_compared_confirms_nothing(
    comparing: Comparing, fields: dict[str, str]
) -> None:
    assert "Compare again" in comparing.press(fields)
    assert comparing.trusted() == set()


def test_pressing_twice_confirms_once(comparing: Comparing) -> None:
    old = comparing.form()
    comparing.press(old)
    assert "nothing to confirm" in comparing.press(old)
    assert AuditEvent.objects.filter(action="certificate.confirmed").count() == 2
