"""What may be wrong at any provider: down, slow, lying, over its limits, by another clock, or our own registration gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from connections.spec.grants import ClientOwner
from connections.vault.models import ClientRegistration
from connections.vault.secret import Secret
from connections.vault.services import register_client
from tests.contract.conditions import NOBODY, US, Condition

if TYPE_CHECKING:
    from tests.contract.customers import Customer

HOUR = 3600
ALWAYS = {"times": None}
DOWN = ("provider-in-trouble", "provider-trouble", "maintenance")
SILENT = ("no-answer", "provider-in-trouble")


def slow(customer: Customer) -> None:
    """Every answer takes longer than we wait."""
    impatient = replace(customer.provider.deadlines, connect=5.0, read=0.2, total=0.5, token_total=0.5)
    object.__setattr__(customer.provider, "deadlines", impatient)  # frozen, as it should be; put back by no_pace
    customer.simulator.faults({"delay_ms": 700, **ALWAYS})


def other_registration(customer: Customer) -> None:
    """Our own client's secret at the provider is not the one that we have."""
    if not ClientRegistration.objects.filter(provider=customer.auth_method.slug).exists():
        return
    register_client(
        provider=customer.auth_method.slug,
        environment="sandbox",
        client_id=customer.simulator.client["client_id"],
        client_secret=Secret("some-other-secret-of-ours"),
        redirect_uri=customer.simulator.client.get("redirect_uri", ""),
    )


def by_our_client(customer: Customer) -> bool:
    return customer.provider.grant(customer.auth_method.grant).client is ClientOwner.OURS


def status(title: str, number: int, *codes: str, body: str = "{}", **also: object) -> Condition:
    """Every call is answered with this status."""
    return Condition(
        title,
        lambda customer: customer.simulator.faults({"status": number, "body": body, **ALWAYS, **also}),
        codes=codes,
        responsible=NOBODY,
    )


CONDITIONS = (
    replace(status("every answer is 503", 503, *DOWN), is_short=True),
    status(
        "every answer is 500 with a page for people", 500, *DOWN, body="<html>Error</html>", content_type="text/html"
    ),
    status("every answer is 429", 429, "too-many-requests", "quota"),
    Condition(
        "every connection is cut before an answer",
        lambda customer: customer.simulator.faults({"cut": "before", **ALWAYS}),
        codes=SILENT,
        responsible=NOBODY,
    ),
    Condition(
        "every answer is cut in the middle",
        lambda customer: customer.simulator.faults({"cut": "middle", **ALWAYS}),
        codes=SILENT,
        responsible=NOBODY,
    ),
    Condition("every answer is later than we wait", slow, codes=SILENT, responsible=NOBODY),
    Condition(
        "every answer is 200 with a page for people",
        lambda customer: customer.simulator.faults(
            {"status": 200, "body": "<html>Welcome</html>", "content_type": "text/html", **ALWAYS}
        ),
        codes=("unreadable", "unreadable-answer", "page-unreadable"),
        responsible=US,
    ),
    Condition(
        "every answer is 200 with an object that means nothing",
        lambda customer: customer.simulator.faults({"status": 200, "body": '{"hello": "world"}', **ALWAYS}),
        codes=("unreadable", "unreadable-answer", "page-unreadable"),
        responsible=US,
    ),
    Condition(
        "every answer leads to another address",
        lambda customer: customer.simulator.faults(
            {"status": 302, "body": "", "headers": {"Location": "https://elsewhere.example/"}, **ALWAYS}
        ),
        codes=("redirected",),
        responsible=US,
    ),
    Condition(
        "a proxy on the way answers 403 with a page for people",
        lambda customer: customer.simulator.faults(
            {"status": 403, "body": "<html>Blocked</html>", "content_type": "text/html", **ALWAYS}
        ),
        codes=("turned-away",),
        responsible=NOBODY,
    ),
    Condition(
        "the provider's clock is an hour and a half ahead",
        lambda customer: customer.simulator.control("clock", {"offset_seconds": 1.5 * HOUR}),
    ),
)
