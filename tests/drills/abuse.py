"""Everybody does what an attacker with the code did: floods of mail, rows and calls; and an honest office works as always.

    python -m tests.drills.abuse

Anonymous, viewer, operator, owner, support and admin each send 418 mails to strangers, 300 invitations (100 of them to one
address), open 300 connections, take up 200 activations with made-up ids, press "Check now" 1,000 times; strangers guess at
a password and try to wash the limits away. Then an office connects 60 companies within an hour, and one activation
connects 500. Prints what got through, beside what got through before. Ends with 1 where more got through than the table of
limits says, where less did (a door that is always shut would pass, too), or where anything honest was refused.

The pages run in this process, signed in to a PostgreSQL of its own as the web; nothing is sent anywhere. With --short each
abuse is done by one who may, until the limit holds, the others press a few times; and the activation is a smaller one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.drills.abuse_house import PASSWORD, PagesHouse, populate

ROLES = ("anonymous", "viewer", "operator", "owner", "support", "admin")
# Warnings, which go to one's own address, are another kind of job.
MAILS = "jobs_job WHERE kind = 'notices.send_mail'"
OVER = 5  # tries beyond a limit that the short version makes
BEFORE = {  # what got through when the product was attacked, by those who may do it at all
    "mails to strangers": 418,
    "invitations": 300,
    "invitations to one address": 100,
    "connections": 300,
    "activations with made-up ids": 200,
    "presses of Check now": 1000,
    "posts that wash limits away": 418,
}


@dataclass
class Flood:
    """What became of one abuse by one person."""

    what: str
    who: str
    tries: int
    through: int
    most: int  # that may get through
    before: int | str

    @property
    def is_wrong(self) -> bool:
        return self.through > self.most or (self.most > 0 and self.through == 0)


@dataclass
class Honest:
    """What somebody honest did, and how often a limit stood in the way."""

    what: str
    done: int
    refused: int


class Drill:
    def __init__(self, house: PagesHouse, *, short: bool) -> None:
        self.house, self.short = house, short
        self.floods: list[Flood] = []
        self.honest: list[Honest] = []
        self._address = 0
        self._clients: dict[str, Any] = {}
        self.tenants = populate(house)

    # -- people --------------------------------------------------------------------------------------------------------

    def anybody(self) -> Any:
        """Somebody at a network address of their own."""
        from django.test import Client

        self._address += 1
        return Client(SERVER_NAME="localhost", REMOTE_ADDR=f"10.0.{self._address // 250}.{self._address % 250 + 1}")

    def signed_in(self, name: str) -> Any:
        client = self.anybody()
        if name != "anonymous":
            place = "pilotage" if name in ("support", "admin") else "a"
            answer = client.post("/account/login/", {"login": f"{name}@{place}.example", "password": PASSWORD})
            if answer.status_code != 302:
                sys.exit(f"FAILED: {name} could not sign in ({answer.status_code})")
        return client

    # -- floods --------------------------------------------------------------------------------------------------------

    def flood(
        self,
        what: str,
        who: str,
        tries: int,
        most: int,
        press: Callable[[Any, int], Any],
        *,
        table: str = "",
    ) -> None:
        """Counts the rows that were made in `table`; without one, the presses that were taken."""
        if self.short:
            may_first = most > 0 and not any(each.what == what and each.most > 1 for each in self.floods)
            tries = min(tries, most + OVER) if may_first else 1
        client = self._clients.get(who) or self._clients.setdefault(who, self.signed_in(who))
        before = self._rows(table)
        taken = sum(press(client, number).status_code in (200, 302) for number in range(tries))
        through = self._rows(table) - before if table else taken
        flood = Flood(what, who, tries, through, min(most, tries), BEFORE.get(what, "-") if most else "-")
        self.floods.append(flood)
        print(f"  {what}, {who}: {flood.through} of {tries}", flush=True)

    def _rows(self, table: str) -> int:
        if not table:
            return 0
        with psycopg.connect(self.house.postgres.admin_address("portal")) as link:
            row = link.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[arg-type]
            assert row is not None
            return int(row[0])

    def all_floods(self) -> None:
        from connections.tenancy.scope import SYSTEM, tenant_scope
        from portal.onboarding.services import begin
        from portal.rate_limits import limits

        own = most_of
        slug, tenant = self.tenants[0].slug, self.tenants[0]
        with self.house.being("owner"):
            with tenant_scope(tenant.id):
                walk = begin(tenant=tenant, provider="procountor", environment="test", actor=SYSTEM)
        check = f"/t/{slug}/c/{walk.connection_id}/checklist/api-key/check/"
        for who in ROLES:
            is_staff, may_act = who in ("support", "admin"), who in ("operator", "owner")
            if who == "anonymous":
                self.flood(
                    "mails to strangers",
                    who,
                    418,
                    own(limits.PASSWORD_RESET, "client"),
                    lambda client, number: client.post(
                        "/account/password/reset/", {"email": f"stranger-{number}@x.example"}
                    ),
                    table=MAILS,
                )
            else:
                self.flood(
                    "mails to strangers",
                    who,
                    418,
                    own(limits.ADDRESS_CHANGE, "person"),
                    lambda client, number, who=who: client.post(
                        "/account/email/", {"action_add": "", "email": f"{who}-{number}@x.example"}
                    ),
                    table=MAILS,
                )
            page = f"/admin/tenancy/tenant/{tenant.id}/invite/" if is_staff else f"/t/{slug}/team/invite/"
            may_invite = who in ("owner", "admin")
            one = {"email": "one@x.example", "role": "viewer"}
            self.flood(
                "invitations to one address",
                who,
                100,
                # The address is one whoever invites it.
                own(limits.INVITATION, "tenant-recipient") if who == "owner" else 0,
                lambda client, number, page=page, one=one: client.post(page, one),
                table="members_invitation",
            )
            self.flood(
                "invitations",
                who,
                300,
                own(limits.INVITATION, "person") if may_invite else 0,
                lambda client, number, page=page, who=who: client.post(
                    page, {"email": f"{who}-guest-{number}@x.example", "role": "viewer"}
                ),
                table="members_invitation",
            )
            self.flood(
                "connections",
                who,
                300,
                own(limits.NEW_CONNECTION, "person") if may_act else 0,
                lambda client, number: client.post(f"/t/{slug}/connect/procountor/", {"environment": "test"}),
                table="vault_connection",
            )
            self.flood(
                "activations with made-up ids",
                who,
                200,
                own(limits.ACTIVATION, "person") if may_act else 0,
                lambda client, number, who=who: client.post(
                    "/callback/procountor/activation/test/", {"requestId": f"{who}-{number}", "tenant": slug}
                ),
                table="transport_activationrequest",
            )
            self.flood(
                "presses of Check now",
                who,
                1000,
                own(limits.CHECK, "connection") if who == "operator" else 0,  # the owner finds it used up
                lambda client, number: Taken(client.post(check, follow=False), "/checklist/"),
            )

    # -- signing in ----------------------------------------------------------------------------------------------------

    def guesses(self) -> None:
        """At one person's password, from one network and from many; the person's own browser stays a way in."""
        from portal.rate_limits import limits

        own, right = self.signed_in("guessed"), {"login": "guessed@a.example", "password": PASSWORD}
        wrong = right | {"password": "wrong wrong wrong"}
        own.post("/account/logout/")

        def guess(client: Any, count: int) -> int:
            """How many tries were judged."""
            return sum(client.post("/account/login/", wrong).status_code == 200 for _ in range(count))

        here, elsewhere = self.anybody(), self.anybody()
        most = most_of(limits.SIGN_IN, "client-recipient")
        self.floods.append(Flood("wrong passwords from one network", "anonymous", 20, guess(here, 20), most, 5))
        self._honest("the same person signs in from another network", elsewhere.post("/account/login/", right))
        most = most_of(limits.SIGN_IN, "recipient") - most
        judged = sum(guess(self.anybody(), 4) for _ in range(12))
        self.floods.append(Flood("wrong passwords from 12 networks", "anonymous", 48, judged, most, 5))
        self._honest("the same person signs in with a known browser", own.post("/account/login/", right))
        unknown = self.anybody().post("/account/login/", right)
        if unknown.status_code != 429 or "It is possible again" not in unknown.content.decode():
            sys.exit("FAILED: a right password got past the limit from an unknown browser, or was not told")

    def _honest(self, what: str, *answers: Any) -> None:
        refused = sum(answer.status_code not in (200, 302) for answer in answers)
        self.honest.append(Honest(what, len(answers), refused))

    def wash(self) -> None:
        """Does a flood of anonymous posts make a used code usable, or a reached limit open?"""
        from django.core.cache import cache

        from portal.rate_limits import limits

        cache.add("allauth.mfa.totp.used?user=1&code=123456", "y", 300)
        client = self.anybody()
        wrong = {"login": "operator@a.example", "password": "wrong wrong wrong"}
        for _ in range(most_of(limits.SIGN_IN, "client-recipient")):
            client.post("/account/login/", wrong)
        posts = 40 if self.short else 418
        for number in range(posts):
            self.anybody().post("/account/login/", {"login": f"nobody-{number}@x.example", "password": "x"})
            cache.set(f"flood {number}", [1.0], 300)
        is_washed = client.post("/account/login/", wrong).status_code == 200
        is_forgotten = cache.add("allauth.mfa.totp.used?user=1&code=123456", "y", 300)
        self.floods.append(
            Flood("posts that wash limits away", "anonymous", posts, is_washed + is_forgotten, 0, "418 did")
        )

    # -- honest use ----------------------------------------------------------------------------------------------------

    def office(self, companies: int = 60) -> None:
        """One person connects sixty companies within the hour: each is begun, four steps confirmed, a key typed, checked."""
        from connections.vault.models import Connection

        slug, client, answers = self.tenants[1].slug, self.signed_in("office"), []
        for number in range(companies):
            began = client.post(f"/t/{slug}/connect/procountor/", {"environment": "test"})
            answers.append(began)
            at = began.headers.get("Location", "")
            steps: list[tuple[str, str, dict[str, str]]] = [("api-key", "check", {})]
            if not self.short:
                steps += [("usage-settings", "attest", {}), ("api-key", "fields", {"api_key": f"{number:040}"})]
                steps += [("api-key", "check", {})] * 3
            answers += [client.post(f"{at}{step}/{deed}/", typed) for step, deed, typed in steps]
        self._honest(f"an office connects {companies} companies", *answers)
        with self.house.being("owner"):
            if (opened := Connection.objects.filter(tenant=self.tenants[1]).count()) != companies:
                sys.exit(f"FAILED: the office opened {opened} connections")

    def activation(self) -> None:
        """One request for five hundred companies, as the provider would tell of them."""
        companies = 50 if self.short else 500
        from connections.transport.models import ActivationRequest
        from connections.transport.oauth import activation_endpoint
        from portal.onboarding.models import Onboarding

        ids = [str(number) for number in range(1, companies + 1)]
        chosen_by = {"email": "large@a.example", "userFullName": "Lauri Large"}  # who is signed in here as well
        told = {
            "activation.show": {
                "initiator": chosen_by,
                "companiesToIntegrate": [{"companyId": each, "extraInfo": each} for each in ids],
            },
            "activation.decide": {
                "companiesIntegrated": [{"companyId": each, "apiKey": f"{each:>040}"} for each in ids]
            },
        }
        calling = activation_endpoint.call
        activation_endpoint.call = lambda row, provider, operation, body=None: told[operation]
        try:
            slug, client = self.tenants[2].slug, self.signed_in("large")
            arrived = client.post("/callback/procountor/activation/test/", {"requestId": "large", "tenant": slug})
            with self.house.being("owner"):
                ActivationRequest.objects.exclude(tenant=self.tenants[2]).delete()  # made up by the floods
            self.house.work_off()
            decided = client.post(f"{arrived.headers.get('Location', '')}decide/", {"company": ids})
            self.house.work_off()
        finally:
            activation_endpoint.call = calling
        with self.house.being("owner"):
            laid_out = Onboarding.objects.filter(tenant=self.tenants[2]).count()
        self.honest.append(Honest(f"an activation of {companies} companies", laid_out, companies - laid_out))
        self._honest("its two forms", arrived, decided)


class Taken:
    """A press that led where it should; one that led to the sign-in was not taken."""

    def __init__(self, answer: Any, leads_to: str) -> None:
        is_taken = answer.status_code == 302 and leads_to in answer.headers["Location"].partition("?")[0]
        self.status_code = 302 if is_taken else 429


def most_of(limit: Any, scope: str) -> int:
    return next(rate.most for rate in limit.rates if rate.scope.value == scope)


def table(drill: Drill) -> str:
    lines = [f"{'abuse':36} {'by':10} {'tries':>6} {'before':>8} {'through':>8} {'allowed':>8}"]
    lines += [
        f"{each.what:36} {each.who:10} {each.tries:>6} {each.before!s:>8} {each.through:>8} {each.most:>8}"
        for each in drill.floods
    ]
    lines.append(f"\n{'honest use':60} {'done':>6} {'refused':>8}")
    return "\n".join([*lines, *(f"{each.what:60} {each.done:>6} {each.refused:>8}" for each in drill.honest)])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="only until the limits hold")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON at the end")
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="portal-drill-", ignore_cleanup_errors=True) as folder:
        house = PagesHouse(Path(folder, "var"))
        try:
            house.start()
            drill = Drill(house, short=options.short)
            for part in (drill.guesses, drill.wash, drill.office, drill.all_floods, drill.activation):
                part()
                print(f"{part.__name__} done after {time.monotonic() - begun:.0f} s", flush=True)
        finally:
            house.stop()
    print(table(drill))
    if options.json:
        print(
            json.dumps(
                {"floods": [asdict(each) for each in drill.floods], "honest": [asdict(e) for e in drill.honest]}
            )
        )
    wrong = [f"{each.what} by {each.who}" for each in drill.floods if each.is_wrong]
    wrong += [each.what for each in drill.honest if each.refused or not each.done]
    if wrong:
        sys.exit("FAILED: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
