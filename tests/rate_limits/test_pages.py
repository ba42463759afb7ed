"""What a person sees when a limit is reached: the form again with what was typed, or a page that can send it again."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from portal.members.models import Invitation
from portal.notices.models import OutgoingMail
from portal.rate_limits import limits
from portal.rate_limits.limits import Scope
from tests.pages.test_pages import assert_whole

pytestmark = pytest.mark.django_db


def most(limit: limits.Limit, scope: Scope) -> int:
    return next(rate.most for rate in limit.rates if rate.scope is scope)


def test_a_form_is_shown_again_with_what_was_typed(sign_in: Callable[..., Any], aamu: Any, alice: Any) -> None:
    client = sign_in(alice)
    typed = {"email": "new@aamu.example", "role": "viewer"}
    statuses = [client.post("/t/aamu/team/invite/", typed).status_code for _ in range(5)]
    assert statuses == [302] * 5
    answer = client.post("/t/aamu/team/invite/", typed)
    assert answer.status_code == 429
    assert_whole(answer)
    page = answer.content.decode()
    assert "No more invitations can be sent for now. With one address this may be done 5 times within 1 day." in page
    assert 'value="new@aamu.example"' in page
    assert int(answer.headers["Retry-After"]) > 0
    assert Invitation.objects.count() == 5


def test_a_button_leads_to_a_page_that_sends_it_again(
    sign_in: Callable[..., Any], aamu: Any, alice: Any, set_rates: Callable[..., None]
) -> None:
    client = sign_in(alice)
    set_rates(limits.PROFILE, 2)
    for _ in range(2):
        client.post("/you/", {"name": "Alice", "time_zone": "Asia/Tehran"})
    answer = client.post("/you/", {"name": 'Al "<b>"', "time_zone": "Asia/Tehran"})
    assert_whole(answer)
    page = answer.content.decode()
    assert "What you typed is kept on this page." in page
    again = dict(re.findall(r'<input type="hidden" name="(name|time_zone)" value="([^"]*)"', page))
    assert {name: html.unescape(value) for name, value in again.items()} == {
        "name": 'Al "<b>"',
        "time_zone": "Asia/Tehran",
    }
    assert 'action="/you/"' in page
    assert re.search(r"possible again from \d+ \w+ \d{4}, \d\d:\d\d UTC\+03:30\.", page), "in the reader's time zone"


def test_no_secret_is_written_into_it(client: Any, alice: Any, set_rates: Callable[..., None]) -> None:
    set_rates(limits.NEW_PERSON, 0)
    answer = client.post("/invitations/made-up/", {"name": "Nelli", "password": "seven quiet herons"})
    assert answer.status_code == 429
    assert "seven quiet herons" not in answer.content.decode()
    assert "typed anew" in answer.content.decode()


def test_a_viewer_uses_nothing_up(sign_in: Callable[..., Any], aamu: Any, alice: Any, vera: Any) -> None:
    viewer = sign_in(vera)
    for _ in range(8):
        assert viewer.post("/t/aamu/team/invite/", {"email": "x@x.example", "role": "viewer"}).status_code == 404
    assert sign_in(alice).post("/t/aamu/team/invite/", {"email": "x@x.example", "role": "viewer"}).status_code == 302


def test_warnings_are_sent_while_other_mail_is_stopped(
    client: Any, alice: Any, mailoutbox: list[Any], rf: Any, set_rates: Callable[..., None]
) -> None:
    from allauth.core import context

    from portal.members.adapters import AccountAdapter

    set_rates(limits.PASSWORD_RESET, 3, 6, 100)
    set_rates(limits.ACCOUNT_MAIL, 3, 100, 100)
    for number in range(most(limits.PASSWORD_RESET, Scope.CLIENT) + 10):
        client.post("/account/password/reset/", {"email": f"stranger-{number}@x.example"})
    count = len(mailoutbox)
    assert count == most(limits.PASSWORD_RESET, Scope.CLIENT)
    request = rf.get("/")
    request.user = alice
    with context.request_context(request):
        adapter = AccountAdapter(request)
        for _ in range(most(limits.ACCOUNT_MAIL, Scope.RECIPIENT) + 5):
            adapter.send_mail("account/email/unknown_account", alice.email, {"signup_url": ""})
        assert len(mailoutbox) - count == most(limits.ACCOUNT_MAIL, Scope.RECIPIENT)
        adapter.send_mail("account/email/password_changed", alice.email, {"ip": "", "user_agent": "", "timestamp": ""})
    assert "password" in mailoutbox[-1].subject.lower()


def test_a_known_and_an_unknown_address_are_refused_alike(client: Any, alice: Any, mailoutbox: list[Any]) -> None:
    statuses = []
    for number, address in enumerate((alice.email, "nobody@x.example")):
        asking = Client(REMOTE_ADDR=f"10.7.7.{number}")
        answers = [asking.post("/account/password/reset/", {"email": address}) for _ in range(7)]
        statuses.append([answer.status_code for answer in answers])
    assert statuses[0] == statuses[1]
    assert statuses[0][-1] == 429


def test_a_reset_that_is_refused_sends_nothing(client: Any, alice: Any, system_key: None, settings: Any) -> None:
    settings.EMAIL_BACKEND = "portal.notices.mail.QueuedBackend"
    for _ in range(9):
        client.post("/account/password/reset/", {"email": alice.email})
    assert OutgoingMail.objects.count() == most(limits.PASSWORD_RESET, Scope.RECIPIENT)


def test_a_flood_of_any_form_is_stopped_and_nothing_typed_is_repeated(
    client: Any, alice: Any, set_rates: Callable[..., None]
) -> None:
    set_rates(limits.ANONYMOUS_FORM, 3)
    answers = [client.post("/account/confirm-email/made-up/", {"pin": "4711"}) for _ in range(4)]
    assert [answer.status_code == 429 for answer in answers] == [False, False, False, True]
    assert "4711" not in answers[-1].content.decode()
    assert "Too many forms were sent in a short time." in answers[-1].content.decode()


def test_one_company_cannot_keep_another_from_inviting_somebody(
    sign_in: Callable[..., Any], aamu: Any, kaste: Any, alice: Any, charlie: Any
) -> None:
    typed = {"email": "one@x.example", "role": "viewer"}
    first, second = sign_in(alice), sign_in(charlie)
    assert [first.post("/t/aamu/team/invite/", typed).status_code for _ in range(6)] == [302] * 5 + [429]
    assert second.post("/t/kaste/team/invite/", typed).status_code == 302
