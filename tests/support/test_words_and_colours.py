"""What staff pages say: colours that are true, with words beside; one way to write a time; no page of Django's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import reverse

from connections.sync.models import SyncRun
from connections.tenancy.models import Tenant
from connections.vault.models import ClientRegistration, Connection, ConnectionState, Credential
from tests.support.conftest import House
from tests.support.pages import Page
from tests.support.test_who_may import ADDED_BY_ADMINS, LISTS, of

# Django's own words, and its pictures of yes and no, which say good and bad of what is neither.
DJANGOS = re.compile(
    r"icon-(?:yes|no|unknown)|Perhaps it was deleted|change history|class=\"(?:historylink|closelink|deletelink)\"|"
    r">\s*(?:History|Close|Search|Home|Django)\s*<|Django admin|administration|View on site|"
    r"\b[ap]\.m\.|\b(?:Nov|Sept|Dec|Oct|Jan|Feb|Aug)\. \d",
)
MISSING = "00000000-0000-0000-0000-00000000000a"


def pages(house: House) -> Iterator[str]:
    yield reverse("admin:index")
    yield reverse("admin:search") + "?q=aamu"
    yield reverse("admin:search") + "?q=nobody+knows"
    for name, what in LISTS.items():
        yield reverse(f"admin:{name}_changelist")
        yield reverse(f"admin:{name}_changelist") + "?q=nobody"
        if what:
            yield reverse(f"admin:{name}_change", args=[of(house, what)])
        yield f"/admin/{name.replace('_', '/', 1)}/{'999' if name in ('members_user', 'admin_logentry') else MISSING}/change/"
        if name in ADDED_BY_ADMINS:
            yield reverse(f"admin:{name}_add")


@pytest.mark.parametrize("who", ["dana", "ada"])
def test_no_page_has_words_or_pictures_that_are_djangos(
    house: House, request: pytest.FixtureRequest, sign_in: Callable[..., Any], who: str
) -> None:
    client = sign_in(request.getfixturevalue(who))
    leftovers = []
    for address in pages(house):
        answer = client.get(address, follow=True)
        leftovers += [(address, match[0]) for match in DJANGOS.finditer(answer.content.decode())]
    assert leftovers == []


def test_what_is_missing_answers_alike_and_says_how_to_go_on(
    house: House, dana: Any, sign_in: Callable[..., Any]
) -> None:
    client = sign_in(dana)
    plain = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"|nonce="[^"]*"')
    answers = set()
    for name in LISTS:
        if name in ("members_user", "admin_logentry"):
            continue
        answer = client.get(f"/admin/{name.replace('_', '/', 1)}/{MISSING}/change/")
        assert answer.status_code == 404, name
        answers.add(plain.sub(b"", re.sub(rb"aria-current=\"page\"", b"", answer.content)))
    assert client.get("/admin/members/user/99999/change/").status_code == 404
    assert client.get("/admin/nothing/of/the/kind/").status_code == 404
    page = Page(client.get(f"/admin/sync/syncrun/{MISSING}/change/").content)
    assert page.heading == "There is nothing here"
    assert "kept for some months only" in page.text
    assert len({re.sub(rb"\s+", b"", answer) for answer in answers}) == 1


def test_a_page_of_one_app_leads_to_the_start(house: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    assert sign_in(dana).get("/admin/tenancy/")["Location"] == reverse("admin:index")


def test_what_admins_changed_is_a_press_from_the_row(house: House, ada: Any, sign_in: Callable[..., Any]) -> None:
    admins = sign_in(ada)
    page = reverse("admin:tenancy_tenant_change", args=[house.tenant.id])
    admins.post(page, {"name": "Aamun uusi nimi Oy"})
    listed = Page(admins.get(Page(admins.get(page).content).links["What admins changed"]).content)
    assert [row for row in listed.rows if "Aamun uusi nimi Oy" in row]


# -- colours -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def badges(house: House, ada: Any, sign_in: Callable[..., Any]) -> Callable[..., dict[str, str]]:
    """Word and colour of each badge of one page."""
    client = sign_in(ada)

    def read(name: str, key: Any = None) -> dict[str, str]:
        address = reverse(f"admin:{name}_change", args=[key]) if key else reverse(f"admin:{name}_changelist")
        page = client.get(address).content.decode()
        badges_here = re.findall(r'<span class="badge badge-(\w+)">(?:<svg.*?</svg>)?(.*?)</span>', page, re.DOTALL)
        return {word.strip(): colour for colour, word in badges_here}

    return read


def test_that_a_secret_is_stored_does_not_say_that_it_works(house: House, badges: Any) -> None:
    assert badges("vault_connection", house.connection.id)["stored"] == "quiet"


def test_a_revoked_key_is_red_and_says_so(house: House, badges: Any) -> None:
    Connection.objects.update(state=ConnectionState.BROKEN, fault="api-key-refused")
    colours = badges("vault_connection", house.connection.id)
    assert colours["stored, and refused by the provider"] == "bad"
    Connection.objects.update(state=ConnectionState.BROKEN, fault="usage-forbidden")
    colours = badges("vault_connection", house.connection.id)
    assert colours["stored"] == "quiet", "another checkpoint's fault"


def test_a_secret_that_nobody_needs_asks_for_nothing(house: House, badges: Any) -> None:
    Credential.objects.all().delete()
    assert badges("vault_connection", house.connection.id)["not given yet"] == "warn"
    Connection.objects.update(auth_method="authorization-code")
    assert badges("vault_connection", house.connection.id)["none, and none is needed"] == "quiet"
    Connection.objects.update(auth_method="m2m", state=ConnectionState.DISCONNECTED)
    assert badges("vault_connection", house.connection.id)["none, and none is needed"] == "quiet"


def test_a_registration_without_a_secret_warns_where_one_is_needed(house: House, badges: Any) -> None:
    ClientRegistration.objects.create(provider="procountor", environment="production", client_id="bare")
    assert badges("vault_clientregistration")["not set"] == "warn"
    ClientRegistration.objects.filter(client_id="bare").update(provider="pentamic")
    assert badges("vault_clientregistration")["not set, and not needed"] == "quiet"


def test_a_no_that_is_safe_is_a_word(house: House, dana: Any, sign_in: Callable[..., Any]) -> None:
    text = Page(sign_in(dana).get(reverse("admin:calls_call_change", args=[house.call.id])).content).text
    assert re.search(r"Write:\s+yes", text)
    assert re.search(r"Found by look-up:\s+no", text)


def test_a_customers_missing_second_factor_is_no_alarm_and_a_staff_persons_is(
    house: House, badges: Any, alice: Any
) -> None:
    assert badges("members_user", alice.pk)["not set up"] == "quiet"
    type(alice).objects.filter(pk=alice.pk).update(staff_role="support")
    assert badges("members_user", alice.pk)["not set up: the staff pages stay closed"] == "warn"


def test_what_was_decided_on_purpose_is_not_red(house: House, badges: Any, alice: Any) -> None:
    type(alice).objects.filter(pk=alice.pk).update(is_active=False)
    assert badges("members_user")["off"] == "quiet"
    Tenant.objects.filter(id=house.tenant.id).update(state="suspended")
    assert badges("tenancy_tenant")["suspended"] == "warn"
    SyncRun.objects.update(state="waiting")
    assert badges("sync_syncrun")["waiting"] == "waiting", "it goes on by itself"
