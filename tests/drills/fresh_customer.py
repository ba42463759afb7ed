"""The first people of a fresh machine, over TLS through its proxy: an admin with a second factor, an owner, a connection.

    python -m tests.drills.fresh_customer AUTHORITY.pem ADMIN_LINK OWNER_LINK ENROLMENT_LINK

Runs in the network of the machine, where nothing but its loopback is and no provider can be reached, so it ends with a
connection that was begun. Prints what was seen, a line for each.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import sys
import time
from base64 import b32decode

import requests

from tests.drills.canary_visitor import Pages, Visitor

ORIGIN = "https://portal.example"
ADMIN, OWNER = "ada@pilotage.example", "alice@aamu.example"
PASSWORD = "correct horse battery staple"
PLAIN = "http://portal.example/"


class Walker(Visitor):
    """Who trusts the machine's own authority alone."""

    authority = ""

    def _begin(self) -> None:
        super()._begin()
        self.session.verify = self.authority

    def reauthenticate(self, **values: str) -> None:
        page = self.get("/account/reauthenticate/")
        self.submit(page, urlpath(page), **values)


def urlpath(page: requests.Response) -> str:
    return "/" + page.url.split("/", 3)[3].partition("?")[0]


def code(seed: str, steps: int = 0) -> str:
    """RFC 6238; `steps`: of half a minute from now."""
    counter = int(time.time()) // 30 + steps
    digest = hmac.new(b32decode(seed), counter.to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


def check(what: str, is_so: object, page: requests.Response | None = None) -> None:
    if not is_so:
        text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.text))[-1500:] if page is not None else ""
        sys.exit(f"FAILED: {what} {page.url if page is not None else ''} {text}")
    print(what)


def proxy() -> None:
    plain = requests.get(PLAIN, allow_redirects=False, timeout=30)
    check("plain HTTP leads to HTTPS", plain.headers.get("Location", "").startswith(ORIGIN))
    answer = requests.get(f"{ORIGIN}/account/login/", verify=Walker.authority, timeout=30)
    check(
        "HTTPS answers, and asks for nothing else from now on",
        "max-age" in answer.headers["Strict-Transport-Security"],
    )
    try:
        requests.get("https://mail.example/", verify=Walker.authority, timeout=30)
    except requests.exceptions.SSLError:
        check("another name is not answered", True)
    else:
        check("another name is not answered", False)


def admin(admin_link: str, enrolment_link: str) -> None:
    ada = Walker(ORIGIN, Pages(), ADMIN)
    form = ada.get(admin_link)
    ada.submit(form, urlpath(form), password1=PASSWORD, password2=PASSWORD)
    ada.sign_in(PASSWORD)
    check("the password alone does not open the admin", ada.get("/admin/").status_code == 403)
    page = ada.get(enrolment_link)
    page = ada.submit(page, urlpath(page))
    if "authenticator_secret" not in page.text:
        ada.reauthenticate(password=PASSWORD)
        page = ada.submit(ada.get(enrolment_link), enrolment_link.removeprefix(ORIGIN))
    seed = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', page.text.replace("\n", " "))
    check("the second factor is offered", seed, page)
    assert seed is not None
    ada.submit(page, "/totp/activate/", code=code(seed[1]))
    page = ada.get("/admin/")
    if page.status_code != 200 or "/account/" in page.url:
        page = ada.get("/account/2fa/reauthenticate/")
        ada.submit(page, urlpath(page), code=code(seed[1], 1))
        page = ada.get("/admin/")
    check("the second factor opens the admin", page.status_code == 200 and page.url.endswith("/admin/"), page)


def owner(owner_link: str) -> None:
    alice = Walker(ORIGIN, Pages(), OWNER)
    page = alice.get(owner_link)
    page = alice.submit(page, urlpath(page), name="Alice", password=PASSWORD)
    check("the invitation leads to the company's home", "/t/aamu-oy/" in page.url, page)
    begun = alice.get("/t/aamu-oy/connect/simutek/")
    checklist = alice.submit(begun, "/connect/simutek/")
    connection = re.search(r"/t/aamu-oy/c/[0-9a-f-]{36}/", checklist.url)
    check("a connection is begun", connection, checklist)


def main() -> None:
    Walker.authority, admin_link, owner_link, enrolment_link = sys.argv[1:]
    real = socket.getaddrinfo
    socket.getaddrinfo = lambda host, *rest, **more: real(
        "127.0.0.1" if str(host).endswith(".example") else host, *rest, **more
    )
    proxy()
    admin(admin_link, enrolment_link)
    owner(owner_link)


if __name__ == "__main__":
    main()
