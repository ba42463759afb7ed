"""The pages of the simulated Hesabit: what a person does there is what the API then says."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests

from tests.sandbox.hesabit.conftest import FIRST, SECOND, Client
from tests.sandbox_server import SandboxServer


class Visitor(requests.Session):
    """A person with a browser, as far as forms go."""

    def __init__(self, server: SandboxServer, shop: int = FIRST) -> None:
        super().__init__()
        self.trust_env = False
        self.home = f"{server.ui}/hesabit/shops/{shop}/"

    def look(self, where: str, status: int = 200) -> str:
        answer = self.get(urljoin(self.home, where), timeout=10)
        assert answer.status_code == status, (where, answer.status_code)
        return answer.text

    def fill(self, where: str, form: dict[str, object], status: int = 200) -> str:
        answer = self.post(urljoin(self.home, where), data=form, timeout=10)
        assert answer.status_code == status, (where, answer.status_code)
        return answer.text


@pytest.fixture
def visitor(server: SandboxServer) -> Visitor:
    return Visitor(server)


def value_of(page: str, ident: str) -> str:
    match = re.search(rf'id="{ident}" value="([^"]*)"', page)
    assert match, ident
    return unescape(match[1])


def test_a_person_logs_in_as_one_of_two_shops(server: SandboxServer, visitor: Visitor) -> None:
    assert visitor.look("/hesabit/").count("<option") == 3
    for shop, name in ((FIRST, "فروشگاه خیالی سپیده"), (SECOND, "کارگاه نمونهٔ غروب")):
        page = visitor.fill("/hesabit/", {"shop": shop})
        assert f"<h1>{name}</h1>" in page
        assert f'href="/hesabit/shops/{shop}/clients"' in page
    for nobody in ("", "1", "x"):
        assert 'id="login-shop-error"' in visitor.fill("/hesabit/", {"shop": nobody}, 422)
    visitor.look("/hesabit/shops/1/", 404)


def test_a_person_makes_a_client_lets_it_in_and_removes_it(server: SandboxServer, visitor: Visitor) -> None:
    assert 'id="no-clients"' in visitor.look("clients")
    address = "https://own.example/back?from=hesabit"
    page = visitor.fill("clients", {"name": "Own software", "redirect_uri": f" {address} "})
    match = re.search(r'id="client-id-([0-9a-f-]{36})"', page)
    assert match
    registered = {
        name: value_of(page, f"client-{part}-{match[1]}")
        for name, part in (("client_id", "id"), ("client_secret", "secret"), ("redirect_uri", "redirect-uri"))
    }
    assert (registered["client_id"], registered["redirect_uri"]) == (match[1], address)
    with Client(server, registered) as own:
        back = visitor.post(own.authorization(), data={"shop": FIRST, "answer": "approve"}, allow_redirects=False)
        assert back.headers["Location"].startswith(f"{address}&code=")
        code = dict(parse_qsl(urlsplit(back.headers["Location"]).query))["code"]
        own.tokens = own.token("authorization_code", code=code).json()
        assert own.ask("/items").status_code == 200
        Visitor(server, SECOND).fill(f"clients/{match[1]}/remove", {}, 404)
        assert 'id="no-clients"' in Visitor(server, SECOND).look("clients")
        assert 'id="no-clients"' in visitor.fill(f"clients/{match[1]}/remove", {})
        assert own.ask("/items").status_code == 401
        assert own.refresh().status_code == 401
        assert visitor.get(own.authorization(), timeout=9).status_code == 400
    visitor.fill(f"clients/{match[1]}/remove", {}, 404)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": " "}, "new-client-name-error"),
        ({"name": "x" * 81}, "new-client-name-error"),
        ({"redirect_uri": "portal"}, "new-client-redirect-uri-error"),
        ({"redirect_uri": "https://own.example/#here"}, "new-client-redirect-uri-error"),
    ],
)
def test_a_bad_client_is_refused_with_what_was_typed(visitor: Visitor, changed: dict[str, object], field: str) -> None:
    form = {"name": "My <software>", "redirect_uri": "https://own.example/back", **changed}
    page = visitor.fill("clients", form, 422)
    assert re.findall(r'id="([a-z-]+-error)"', page) == [field]
    if "name" not in changed:
        assert 'value="My &lt;software&gt;"' in page


def test_a_person_consents_sees_the_application_and_revokes_it(server: SandboxServer, visitor: Visitor) -> None:
    with Client(server) as portal:
        url = portal.authorization()
        page = visitor.get(url, timeout=10)
        assert "form-action" not in page.headers["Content-Security-Policy"]
        assert 'lang="fa" dir="rtl"' in page.text
        assert "«Customer portal»" in page.text
        assert ">offline<" in page.text
        assert ">offline<" not in visitor.look(portal.authorization(access_type=None))
        nobody = visitor.post(url, data={"answer": "approve"}, timeout=10)
        assert (nobody.status_code, 'id="consent-shop-error"' in nobody.text) == (422, True)
        assert server.state()["live_refresh_tokens"] == 0
        back = visitor.post(url, data={"shop": SECOND, "answer": "approve"}, timeout=10, allow_redirects=False)
        assert back.status_code == 302
        query = dict(parse_qsl(urlsplit(back.headers["Location"]).query))
        assert back.headers["Location"].startswith(f"{server.client['redirect_uri']}?")
        assert query["state"] == "s-1"
        portal.tokens = portal.token("authorization_code", code=query["code"]).json()
        assert portal.ask("/customers", limit=100).json()[0]["id"] > 1_000_000

        assert 'id="no-applications"' in visitor.look("applications")
        second = Visitor(server, SECOND)
        page_of_second = second.look("applications")
        assert "Customer portal" in page_of_second
        match = re.search(r'id="revoke-application-(\d+)"', page_of_second)
        assert match
        visitor.fill(f"applications/{match[1]}/revoke", {}, 404)
        assert portal.ask("/customers").status_code == 200
        assert "لغو شده" in second.fill(f"applications/{match[1]}/revoke", {})
        assert portal.ask("/customers").status_code == 401
        assert portal.refresh().status_code == 400


def test_a_person_denies(server: SandboxServer, visitor: Visitor) -> None:
    with Client(server) as portal:
        url, answer = portal.authorization(), {"shop": "", "answer": "deny"}
        back = visitor.post(url, data=answer, timeout=10, allow_redirects=False)
        assert back.headers["Location"] == f"{server.client['redirect_uri']}?error=access_denied&state=s-1"
        server.switches(denied_consent="bare")
        back = visitor.post(url, data=answer, timeout=10, allow_redirects=False)
        assert back.headers["Location"] == server.client["redirect_uri"]
    assert 'id="no-applications"' in visitor.look("applications")


def test_a_bad_request_is_shown_or_sent_back(server: SandboxServer, visitor: Visitor) -> None:
    with Client(server) as portal:
        for changed in ({"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}):
            answer = visitor.get(portal.authorization(**changed), timeout=10, allow_redirects=False)
            assert (answer.status_code, 'id="consent-refused"' in answer.text) == (400, True)
        answer = visitor.get(portal.authorization(scope="read"), timeout=10, allow_redirects=False)
        assert answer.headers["Location"].endswith("?error=invalid_scope&state=s-1")


def test_the_package_is_set_in_the_panel(server: SandboxServer, visitor: Visitor) -> None:
    assert re.search(r'value="active" selected', visitor.look("packages"))
    page = visitor.fill("packages", {"package": "none"})
    assert not re.search(r'value="active" selected', page)
    assert [shop["package"] for shop in server.state()["shops"]] == [False, False]
    visitor.fill("packages", {"package": "active"})
    assert [shop["package"] for shop in server.state()["shops"]] == [True, False]


def test_the_portals_client_is_shown(server: SandboxServer, visitor: Visitor) -> None:
    page = visitor.look("/hesabit/portal-client")
    for part, name in (("id", "client_id"), ("secret", "client_secret"), ("redirect-uri", "redirect_uri")):
        assert value_of(page, f"client-{part}-portal-hesabit") == server.client[name]


def test_persian_pages_are_right_to_left_and_the_shared_ones_english(server: SandboxServer, visitor: Visitor) -> None:
    for where in ("", "clients", "applications", "packages", "/hesabit/portal-client"):
        page = visitor.look(where)
        assert '<html lang="en">' in page
        assert '<div lang="fa" dir="rtl">' in page
        assert '<main id="main" class="page">' in page, where
    for where in ("/hesabit/calls", f"/hesabit/switches?company={SECOND}"):
        assert '<main id="main" class="page" lang="en" dir="ltr">' in visitor.look(where)
    assert "کارگاه نمونهٔ غروب" in visitor.look(f"/hesabit/calls?company={SECOND}")


def test_pages_need_no_script_and_label_every_field(server: SandboxServer, visitor: Visitor) -> None:
    with Client(server) as portal:
        portal.connect()
        everywhere = ["", "clients", "applications", "packages", portal.authorization()]
    visitor.fill("clients", {"name": "Own", "redirect_uri": "https://own.example/back"})
    everywhere += [f"/hesabit/{page}" for page in ("", "calls", "switches", "portal-client")]
    for where in everywhere:
        page = visitor.look(where)
        assert "<script" not in page
        assert " style=" not in page
        assert "simulator" in re.findall(r"<title>(.*?)</title>", page)[0]
        assert re.search(r"<h1>", page)
        idents = re.findall(r' id="([^"]+)"', page)
        assert len(idents) == len(set(idents)), where
        labelled = set(re.findall(r'<label[^>]* for="([^"]+)"', page))
        for tag in re.findall(r"<(?:input|select|textarea|button)[^>]*>", page):
            ident = re.search(r' id="([^"]+)"', tag)
            assert ident, tag
            assert tag.startswith("<button") or ident[1] in labelled, tag
