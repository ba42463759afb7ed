"""A mail that did not arrive is told where somebody waits for it, and what to do about it works."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from connections.jobs.models import Job, JobState
from portal.members.models import Invitation
from tests.conftest import RoleClient
from tests.notices.test_mail import postbox  # noqa: F401  (fixture)

pytestmark = pytest.mark.django_db
TEAM = "/t/aamu/team/"
WRONG, RIGHT = "aino@aamu.exmaple", "aino@aamu.example"


@pytest.fixture(autouse=True)
def queued(settings: Any) -> None:
    settings.EMAIL_BACKEND = "portal.notices.mail.QueuedBackend"


@pytest.fixture
def owner(alice: Any, sign_in: Callable[..., RoleClient]) -> RoleClient:
    return sign_in(alice)


def page_of(client: RoleClient, address: str = TEAM) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get(address).content.decode()))


def test_an_invitation_that_bounced_is_corrected_and_sent_again(
    owner: RoleClient,
    postbox: Any,  # noqa: F811
    work_off: Callable[..., int],
) -> None:
    owner.post(f"{TEAM}invite/", {"email": WRONG, "role": "operator"})
    assert "Send again" not in page_of(owner)
    postbox.refuses = {"RCPT TO": "550 no such user"}
    work_off()
    assert Job.objects.filter(state=JobState.QUEUED).count() == 0, "it is asked once"
    assert postbox.conversations == 1
    page = owner.get(TEAM).content.decode()
    assert "could not be delivered" in page
    form = re.search(rf'<form class="again-form" method="post" action="({TEAM}[^"]+/again/)">.*?</form>', page, re.S)
    assert form
    assert f'value="{WRONG}"' in form[0]
    assert "/invitations/" not in page_of(owner), "no link to copy: accepting it proves the address"
    postbox.refuses = {}
    assert owner.post(form[1], {"email": RIGHT})["Location"] == TEAM
    work_off()
    old, new = (Invitation.objects.get(email=email) for email in (WRONG, RIGHT))
    assert (old.revoked_at is not None, new.revoked_at, new.role) == (True, None, "operator")
    page = page_of(owner)
    assert "could not be delivered" not in page
    assert WRONG not in page
    assert RIGHT in str(postbox.mails[-1])
    owner.post(form[1], {"email": "other@aamu.example"})
    assert not Invitation.objects.filter(email="other@aamu.example").exists(), "what is withdrawn is not sent again"


def test_the_same_address_may_be_tried_again_and_a_member_may_not(
    owner: RoleClient,
    bob: Any,
    postbox: Any,  # noqa: F811
    work_off: Callable[..., int],
) -> None:
    owner.post(f"{TEAM}invite/", {"email": WRONG, "role": "viewer"})
    postbox.refuses = {"RCPT TO": "550 no such user"}
    work_off()
    again = f"{TEAM}invitations/{Invitation.objects.get().id}/again/"
    page = owner.post(again, {"email": bob.email}).content.decode()
    assert "This person is a member already." in page
    assert f'value="{bob.email}"' in page
    owner.post(again, {"email": WRONG})
    assert Invitation.objects.filter(email=WRONG, revoked_at=None).count() == 1
    work_off()
    assert "could not be delivered" in page_of(owner)


def test_a_person_is_told_on_their_own_pages_and_owners_in_the_team(
    owner: RoleClient,
    alice: Any,
    bob: Any,
    postbox: Any,  # noqa: F811
    work_off: Callable[..., int],
    sign_in: Callable[..., RoleClient],
) -> None:
    """Whatever the mail was: a warning, a confirmation, a new password, or news about a connection."""
    from portal.members.security_events import notify_security

    postbox.refuses = {"RCPT TO": "550 no such user"}
    notify_security(bob, "password.changed")
    work_off()
    own = sign_in(bob)
    for address in ("/you/", "/account/email/"):
        assert "Our newest mail to this address could not be delivered." in page_of(own, address), address
        assert "could not be delivered" not in page_of(owner, address), address
    assert "The newest mail to this address could not be delivered." in page_of(owner)
    assert "could not be delivered" not in page_of(own), "who cannot change the team is not told of others"
    postbox.refuses = {}
    notify_security(bob, "password.changed")
    work_off()
    assert "could not be delivered" not in page_of(owner) + page_of(own, "/you/")


def test_a_confirmation_that_bounced_is_told_beside_the_address(
    owner: RoleClient,
    postbox: Any,  # noqa: F811
    work_off: Callable[..., int],
) -> None:
    postbox.refuses = {"RCPT TO": "550 no such user"}
    owner.post("/account/email/", {"email": WRONG, "action_add": ""})
    work_off()
    assert "Our newest mail to this address could not be delivered." in page_of(owner, "/account/email/")


def test_a_reset_that_bounced_tells_a_stranger_nothing(
    client: RoleClient,
    alice: Any,
    postbox: Any,  # noqa: F811
    work_off: Callable[..., int],
) -> None:
    postbox.refuses = {"RCPT TO": "550 no such user"}
    for address in (alice.email, "nobody@aamu.example"):
        client.post("/account/password/reset/", {"email": address})
    work_off()
    assert "delivered" not in page_of(client, "/account/password/reset/done/")
