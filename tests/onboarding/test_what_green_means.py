"""What a mark says is what was asked: nothing passes before it is proved or meant, and every finding names its press."""

from __future__ import annotations

import re
from typing import Any

import pytest

from connections.providers.registry import all_providers
from connections.spec.checklist import Attestation, MarkState
from connections.transport.limits import rate_limiter
from connections.transport.models import RequestLogEntry
from connections.vault.models import Connection
from connections.vault.services import ActionRefused
from portal.onboarding import services
from portal.onboarding.marks import CheckpointResult, record
from portal.onboarding.models import Evidence, Onboarding
from portal.onboarding.probing import NO_WORD
from portal.onboarding.progress import progress
from tests.contract.auth_methods import auth_methods
from tests.providers.walking import AINO, Walker

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def walker_of(sandbox: Any, aamu: Any, work_off: Any, monkeypatch: Any) -> Any:
    monkeypatch.setattr(rate_limiter, "_wait_for_slot", lambda *_args: None)  # gentle limits are proved elsewhere

    def begin(slug: str, auth_method: str = "") -> Walker:
        walker = Walker(tenant=aamu, server=sandbox, slug=slug, auth_method=auth_method, work_off=work_off)
        walker.server.reset()
        return walker

    return begin


def test_a_provider_that_tells_no_company_shows_nothing_to_confirm_without_a_name(walker_of: Any) -> None:
    """The company's checkpoint is asked by itself as soon as the access works, before anybody has named it."""
    walker = walker_of("simutek")
    walker.prepare()
    walker.give("access")
    assert walker.states()["access"] == "verified"
    assert walker.states()["company"] == "open"
    assert walker.evidence("company") == []
    walker.check("company")
    assert walker.states()["company"] == "open"
    with walker.inside(), pytest.raises(ActionRefused, match="Your company's name"):
        services.confirm(mark=walker.mark("company"), actor=AINO)
    walker.give("company")
    assert walker.states()["company"] == "unconfirmed"
    walker.confirm("company")
    assert (walker.connection.company_name, walker.states()["company"]) == ("Aamu Oy", "verified")


def test_a_name_that_a_release_before_accepted_empty_is_asked_for_before_it_is_confirmed(walker_of: Any) -> None:
    walker = walker_of("simutek")
    walker.prepare()
    walker.give("access")
    walker.give("company")
    Connection.objects.update(settings={**walker.connection.settings, "company_name": ""})
    with walker.inside(), pytest.raises(ActionRefused, match="Your company's name"):
        services.confirm(mark=walker.mark("company"), actor=AINO)


@pytest.mark.parametrize("auth_method", ["consent", "own-client"])
def test_scopes_that_the_provider_does_not_tell_are_tried_list_by_list(walker_of: Any, auth_method: str) -> None:
    walker = walker_of("smartbusiness", auth_method)
    walker.prepare()
    if auth_method == "consent":
        walker.connect("access", "consent")
        walker.check("access")
    else:
        walker.give("access")
    assert walker.states()["scopes"] == "verified"
    operations = RequestLogEntry.objects.filter(checkpoint="scopes", status=200).values_list("operation", flat=True)
    assert set(operations) == {stream.operation for stream in walker.provider.streams}
    [(code, values), *_] = walker.evidence("scopes")
    assert code == "lists-open"
    assert "Invoices" in values["lists"]


def test_a_scope_that_is_missing_fails_the_scopes(walker_of: Any) -> None:
    walker = walker_of("smartbusiness", "own-client")
    walker.prepare()
    walker.server.control(
        "faults", [{"path": "/receivables/offers", "status": 403, "body": '{"code": 5000}', "times": 20}]
    )
    walker.give("access")
    assert walker.states()["scopes"] == "failing", walker.evidence("scopes")


def test_rights_beyond_what_is_needed_are_named_and_wait_for_a_word(walker_of: Any) -> None:
    walker = walker_of("procountor", "m2m")
    walker.prepare(user={"preset": "everything"})
    walker.give("api-key")
    assert walker.states()["rights"] == "unconfirmed", walker.evidence("rights")
    [(code, values), *_] = walker.evidence("rights")
    assert code == "rights-more"
    assert "sales.customerRegister" in values["named"]
    assert walker.states()["first-sync"] == "open"
    walker.confirm("rights")
    assert walker.states()["rights"] == "verified"
    walker.check("rights")
    assert walker.states()["rights"] == "verified", "what was meant yesterday is meant today"
    evidence = Evidence.objects.filter(mark=walker.mark("rights")).first()
    assert evidence is not None
    assert evidence.code == "rights-more-meant"


def test_an_outage_does_not_hide_what_made_a_checkpoint_fail(walker_of: Any) -> None:
    walker = walker_of("procountor", "m2m")
    walker.prepare(user={"preset": "nothing"})
    walker.give("api-key")
    assert walker.states()["rights"] == "failing", walker.evidence("rights")
    with walker.inside():
        record(mark=walker.mark("rights"), result=CheckpointResult(MarkState.FAILING, NO_WORD))
        onboarding = Onboarding.objects.select_related("connection").get(id=walker.onboarding.id)
        steps = {step.checkpoint.slug: step for step in progress(onboarding, walker.provider).steps}
    sentence = steps["rights"].sentence
    assert sentence.startswith("The user lacks rights in Procountor:")
    assert "could not answer this at the moment" in sentence


def test_what_a_person_says_for_now_names_where_we_see_it_ourselves(walker_of: Any) -> None:
    """Of every provider: only where nothing of ours ever asks may the sentence say that nothing can."""
    for slug, auth_method in dict.fromkeys((auth_method.slug, auth_method.grant) for auth_method in auth_methods()):
        walker = walker_of(slug, auth_method)
        titles = {str(each.title) for each in walker.provider.checkpoints(auth_method)}
        for checkpoint in walker.provider.checkpoints(auth_method):
            if not checkpoint.attest:
                continue
            with walker.inside():
                services.attest(mark=walker.mark(checkpoint.slug), actor=AINO)
                steps = progress(walker.onboarding, walker.provider).steps
            sentence = next(step.sentence for step in steps if step.checkpoint.slug == checkpoint.slug)
            assert AINO.name in sentence
            if isinstance(checkpoint.proof, Attestation):
                assert "show it to us" in sentence, (slug, checkpoint.slug, sentence)
            else:
                assert "show it to us" not in sentence, (slug, checkpoint.slug, sentence)
                assert re.search("as soon as “(.+)” has passed", sentence)[1] in titles  # type: ignore[index]


def test_only_findings_of_a_probe_can_be_confirmed_and_all_have_words_for_it() -> None:
    for provider in all_providers().values():
        for checkpoint in provider.checklist:
            assert set(checkpoint.meant.values()) <= set(provider.sentences), checkpoint.slug
            assert set(checkpoint.meant) <= set(provider.sentences), checkpoint.slug
            assert bool(checkpoint.confirm) or not checkpoint.meant
    assert not MarkState.UNCONFIRMED.passes
    assert not MarkState.UNCONFIRMED.is_proved


def test_a_sign_in_that_failed_for_the_usage_settings_is_put_right_by_signing_in(
    walker_of: Any, sign_in: Any, alice: Any
) -> None:
    """Nothing is stored to ask with, so that no check can ever find the setting changed: the page names the press that can."""
    walker = walker_of("procountor", "sign-in")
    walker.prepare(usage_allowed=False)
    attempt = walker.connect("api-key", "sign-in")
    assert (attempt.state, attempt.reason_code) == ("failed", "usage-forbidden")
    assert walker.states()["usage-settings"] == "failing"
    client = sign_in(alice)
    page = client.get(f"/t/aamu/c/{walker.connection.id}/checklist/usage-settings/").content.decode()
    assert 'id="check"' not in page, "it would find nothing out"
    assert "then press" not in page
    assert (
        f'sign in once more at <a href="/t/aamu/c/{walker.connection.id}/checklist/api-key/">Sign in to Procountor</a>'
        in page
    )
    there = client.get(f"/t/aamu/c/{walker.connection.id}/checklist/api-key/").content.decode()
    assert 'id="connect-sign-in"' in there
    assert 'id="check"' not in there

    walker.server.allow_usage(True)
    assert walker.connect("api-key", "sign-in").state == "exchanged"
    assert walker.states()["usage-settings"] == "inferred", "the cause is gone, and so is the finding"
    assert "failing" not in walker.states().values()
