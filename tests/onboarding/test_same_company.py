"""The same company twice is noticed before it goes live; what is called the same is told apart; less access is never green."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from connections.providers import registry
from connections.providers.hesabit import checklist as hesabit
from connections.providers.simutek import checklist as simutek
from connections.spec import proofs
from connections.spec.checklist import Finding, MarkState
from connections.tenancy.scope import tenant_scope
from connections.vault.models import Connection
from connections.vault.services import ActionRefused, bind_company, mark_healthy
from portal.onboarding import services
from portal.onboarding.marks import CheckpointResult, checkpoint_of, marks_of, record
from portal.onboarding.models import Mark, Onboarding
from portal.onboarding.probing import ConnectionAsker, record_finding
from tests.roles import acting_as

pytestmark = pytest.mark.django_db
CARD = re.compile(r'<a class="quiet-link" href="[^"]+">(.*?)</a>', re.DOTALL)
FOUND = {"company": "Aamun Kirjat Oy", "company_id": "101"}


def begun(tenant: Any, who: Any, provider: str = "procountor") -> Connection:
    environment = "test" if provider == "procountor" else "production"
    with tenant_scope(tenant.id):
        return services.begin(tenant=tenant, provider=provider, environment=environment, actor=who.actor).connection


def live(
    tenant: Any, who: Any, company_id: str = "101", name: str = "Aamun Kirjat Oy", provider: str = "procountor"
) -> Any:
    connection = begun(tenant, who, provider)
    with tenant_scope(tenant.id):
        bind_company(connection=connection, company_id=company_id, company_name=name)
        mark_healthy(connection=connection)
    return connection


def waiting(tenant: Any, who: Any, provider: str = "procountor", code: str = "company-found", **values: str) -> Mark:
    """A set-up whose company waits to be confirmed."""
    connection = begun(tenant, who, provider)
    mark = Mark.objects.select_related("onboarding__connection").get(
        onboarding__connection=connection, checkpoint="company"
    )
    with tenant_scope(tenant.id):
        record(mark=mark, result=CheckpointResult(MarkState.UNCONFIRMED, code, values or FOUND))
    return mark


def confirm(mark: Mark, who: Any, twin: str | None) -> None:
    with acting_as("web"), tenant_scope(mark.tenant_id):
        services.confirm(mark=mark, twin=twin, actor=who.actor)


def test_the_page_names_the_other_connection_and_what_to_press(aamu: Any, alice: Any, sign_in: Any) -> None:
    other, mark = live(aamu, alice), waiting(aamu, alice)
    mine = mark.onboarding.connection
    client = sign_in(alice)
    address = reverse("checkpoint", args=["aamu", mine.id, "company"])
    page = client.get(address).content.decode()
    assert "is connected to Procountor already" in page
    assert reverse("connection", args=["aamu", other.id]) in page
    assert reverse("disconnect", args=["aamu", mine.id]) in page
    assert "Yes, connect this company twice" in page
    answer = client.post(reverse("confirm_checkpoint", args=["aamu", mine.id, "company"]), {}, follow=True)
    assert "This company is connected already" in answer.content.decode()
    mine.refresh_from_db()
    assert mine.state == "setup"
    [twin] = re.findall(r'name="twin" value="([^"]+)"', page)
    client.post(reverse("confirm_checkpoint", args=["aamu", mine.id, "company"]), {"twin": twin})
    mine.refresh_from_db()
    assert mine.state == "connected", "somebody may mean it"


def test_who_looks_at_an_older_page_is_shown_it_first(aamu: Any, alice: Any) -> None:
    mark = waiting(aamu, alice)
    live(aamu, alice)
    with pytest.raises(ActionRefused, match="connected already"):
        confirm(mark, alice, "")


@pytest.mark.parametrize("state", ["disconnected", "other-company", "other-tenant"])
def test_another_company_or_one_that_was_left_is_no_twin(
    aamu: Any, alice: Any, kaste: Any, charlie: Any, state: str
) -> None:
    if state == "other-tenant":
        live(kaste, charlie)
    else:
        other = live(aamu, alice, "102" if state == "other-company" else "101")
        if state == "disconnected":
            Connection.objects.filter(id=other.id).update(state=state)
    confirm(waiting(aamu, alice), alice, "")


def test_where_the_provider_names_no_company_the_name_is_compared(aamu: Any, alice: Any) -> None:
    live(aamu, alice, "a-client", "Aamu Oy", "hesabit")
    mark = waiting(aamu, alice, "hesabit", "books-seen", company="aamu oy", company_id="another", names="Kallio")
    Connection.objects.filter(id=mark.onboarding.connection_id).update(settings={"company_name": "aamu oy"})
    mark.onboarding.connection.refresh_from_db()
    with pytest.raises(ActionRefused, match="connected already"):
        confirm(mark, alice, "")


def test_cards_of_the_same_name_are_told_apart(aamu: Any, alice: Any, sign_in: Any) -> None:
    for company_id, name in (("101", "Aamu Oy"), ("102", "Aamu Oy"), ("103", "Usva Oy")):
        live(aamu, alice, company_id, name)
    live(aamu, alice, "103", "Usva Oy")
    begun(aamu, alice)
    begun(aamu, alice)
    page = sign_in(alice).get(reverse("home", args=["aamu"])).content.decode()
    titles = [" ".join(re.sub(r"<[^>]+>", " ", title).split()) for title in CARD.findall(page)]
    plain = [title for title in titles if "Aamu Oy" in title]
    assert sorted(plain) == ["Procountor: Aamu Oy company id 101", "Procountor: Aamu Oy company id 102"]
    others = [title for title in titles if "Aamu Oy" not in title]
    assert len(others) == 4
    assert all("opened" in title for title in others), "two of the same company, and two set-ups"


def test_a_company_of_an_activation_is_called_by_its_name_as_soon_as_a_check_tells_it(aamu: Any, alice: Any) -> None:
    """Until then its number is all that is known."""
    connection = begun(aamu, alice)
    with tenant_scope(aamu.id):
        bind_company(connection=connection, company_id="101", company_name="")
    onboarding = Onboarding.objects.select_related("connection__tenant").get(connection=connection)
    with acting_as("worker"), tenant_scope(aamu.id):
        marks = marks_of(onboarding)
        record_finding(
            marks["company"],
            marks,
            checkpoint_of(marks["company"]),
            Finding(MarkState.UNCONFIRMED, "company-found", FOUND),
            ConnectionAsker(onboarding.connection, "company"),
        )
    connection.refresh_from_db()
    assert (connection.company_name, connection.state) == ("Aamun Kirjat Oy", "setup")


def asker(**values: Any) -> Any:
    known = {"scope": "", "seen": {}, "confirmed": {}, "settings": {}, "company_id": "", "company_name": ""}
    return SimpleNamespace(
        **{**known, "fresh_token": lambda: None, "ask": lambda *_: SimpleNamespace(body=[]), **values}
    )


LESS = [
    (proofs.scope("a", "b", unsaid=lambda _: Finding(MarkState.VERIFIED, "x")), "a", "a b", "scope-narrower", "b"),
    (proofs.scope("a", "b", unsaid=lambda _: Finding(MarkState.VERIFIED, "x")), "a", "", "scope-missing", "b"),
    (hesabit.CHECKLIST[1].proof.run, "read", "write", "scope-narrower", "write"),  # type: ignore[union-attr]
    (simutek.CHECKLIST[1].proof.run, "read", "read write", "scope-less", "write"),  # type: ignore[union-attr]
]


@pytest.mark.parametrize(("probe", "scope", "before", "code", "missing"), LESS)
def test_less_access_than_before_is_not_green_and_says_what_is_missing(
    probe: Any, scope: str, before: str, code: str, missing: str
) -> None:
    finding = probe(asker(scope=scope, seen={"scope": before}))
    assert not finding.state.passes
    assert finding.code == code
    sentence = str({**proofs.SENTENCES}[code]) % finding.values
    assert re.search(rf"\b{missing}\b", sentence)


@pytest.mark.parametrize("scope", ["write", "", "write read"])
def test_as_much_as_before_or_more_is_green(scope: str) -> None:
    probe = hesabit.CHECKLIST[1].proof.run  # type: ignore[union-attr]
    assert probe(asker(scope=scope, seen={"scope": "write"})).state is MarkState.VERIFIED


@pytest.mark.parametrize("slug", ["hesabit", "pentamic", "simutek"])
def test_books_of_somebody_else_are_refused_with_both_names(slug: str) -> None:
    checkpoint = next(each for each in registry.all_providers()[slug].checklist if each.slug == "company")
    named = {"company_name": "Usva Oy", "api_url": "u", "auth_url": "v", "client_id": "c"}
    identity = {"hesabit": "a", "pentamic": "u v c", "simutek": "u c"}[slug]
    body = [{"id": 9, "number": 9, "name": "Stranger"}]
    other = asker(
        settings=named,
        company_id=identity,
        company_name="Aamu Oy",
        company_confirmed=True,
        company_unproven=True,
        ask=lambda *_: SimpleNamespace(body=body),
        count_known=lambda stream, ids: (20, 0),
    )
    finding = checkpoint.proof.run(other)  # type: ignore[union-attr]
    assert finding.state is MarkState.FAILING
    sentence = str(registry.all_providers()[slug].sentences[finding.code]) % finding.values
    assert "Aamu Oy" in sentence
    assert "Usva Oy" in sentence
