"""The owners' audit page: every action in words, narrowed by who, what and when, page by page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.urls import reverse

from connections.tenancy import audit
from connections.tenancy.scope import SYSTEM
from portal.dashboard import audit_page
from portal.dashboard.audit_words import KINDS, WORDS
from portal.support.models import PlannedAction
from tests.house.papers import REPOSITORY

# Of the system's own trail, or no actions.
ELSEWHERE = re.compile(
    r"^(member\.invented|access|dispatch|session|settings|sign_in|second_factor|password|email|staff\.(?!ask|cancel|check|looked|queue|sync|visit_))"
)
RECORDED = re.compile(r'(?:audit\.record\(|_audit\(|_record\()[^)]*?"([a-z]+\.[a-z_]+)"', re.DOTALL)


def test_every_action_of_a_tenants_trail_has_words() -> None:
    actions = {f"staff.{each}" for each in PlannedAction.values if each != "mail"}
    for package in ("portal", "connections"):
        for path in (REPOSITORY / package).rglob("*.py"):
            actions |= set(RECORDED.findall(path.read_text(encoding="utf-8")))
    judged = {action for action in actions if not ELSEWHERE.match(action)}
    assert len(judged) > 25
    assert judged - set(WORDS) == set()


def test_it_is_narrowed_and_paged(
    aamu: Any, kaste: Any, alice: Any, sign_in: Callable[..., Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr(audit_page, "EVENTS_SHOWN", 2)
    for number in range(5):
        audit.record(tenant_id=aamu.id, actor=alice.actor, action="member.invited", email=f"m{number}@aamu.example")
    audit.record(tenant_id=aamu.id, actor=SYSTEM, action="connection.secrets_destroyed")
    audit.record(tenant_id=kaste.id, actor=SYSTEM, action="connection.paused", reason="canary-of-another")
    browser, address = sign_in(alice), reverse("audit", args=[aamu.slug])
    assert "canary-of-another" not in browser.get(address).content.decode()
    seen, query = [], "?what=people"
    while query:
        page = browser.get(address + query).content.decode()
        assert "was destroyed" not in page
        seen += re.findall(r"m\d@aamu", page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        query = following.group(1).replace("&amp;", "&") if following else ""
    assert seen == [f"m{number}@aamu" for number in (4, 3, 2, 1, 0)]
    assert "the portal itself" in browser.get(f"{address}?who=Pilotage").content.decode()
    assert "Nothing of that kind" in browser.get(f"{address}?to=2001-01-01").content.decode()
    assert set(KINDS["people"]) >= {"member."}
