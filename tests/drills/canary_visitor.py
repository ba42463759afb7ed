"""A person at the portal's pages, over HTTP: signs in, sends forms, follows every link; keeps every answer."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

UNSEEN = ("/account/logout/", "/static/")  # neither is a page that tells anything


@dataclass
class Form:
    """What a browser would send of it: the fields as they stand, by name."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    button: str = ""


class _Page(HTMLParser):
    """The forms and links of one page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}  # address: id
        self._form: Form | None = None
        self._select = ""
        self._area = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links[given["href"]] = given.get("id", "")
        elif tag == "form":
            self._form = Form(given.get("action", ""))
            if given.get("method", "get").lower() == "post":
                self.forms.append(self._form)
        elif self._form is not None:
            self._field(tag, given, self._form)

    def _field(self, tag: str, given: dict[str, str], form: Form) -> None:
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "button":
            form.button = form.button or given.get("id", "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in form.fields):
            form.fields[self._select] = given.get("value", "")
        elif tag == "textarea":
            self._area = name
            form.fields[name] = ""
        elif tag == "input" and name and (kind not in ("radio", "checkbox") or "checked" in given):
            form.fields[name] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._form is not None and self._area:
            self._form.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""


class Pages:
    """Every answer that anybody got, once."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}  # the answer: where it was first seen
        self.answers = 0

    def keep(self, who: str, answer: requests.Response) -> None:
        self.answers += 1
        heads = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        # Without the question's own query: what was asked is not what was answered.
        place = urlsplit(str(answer.request.url)).path
        text = f"{answer.status_code}\n{heads}\n\n{answer.text}"
        self._kept.setdefault(text, f"page {answer.request.method} {place} ({answer.status_code}) of {who}")

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([(where, text) for text, where in self._kept.items()])


class Visitor:
    """Somebody with a browser of their own; `name` is the address they sign in with, '' for a passer-by."""

    def __init__(self, origin: str, pages: Pages, name: str = "") -> None:
        self.origin, self.pages, self.name = origin, pages, name
        self._begin()

    def _begin(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Connection"] = "close"  # the server may close an idle one while it is being used again

    def prove(self) -> None:
        """Sensitive steps ask who is there where the last sign-in is more than five minutes ago."""
        if time.monotonic() - self._signed_in_at > 120:
            self._begin()
            self.sign_in(self._password)

    def sign_in(self, password: str) -> Visitor:
        self._password, self._signed_in_at = password, time.monotonic()
        answer = self.submit(self.get("/account/login/"), "/account/login/", login=self.name, password=password)
        if "/account/login" in answer.url:
            message = f"{self.name} could not sign in"
            raise AssertionError(message)
        return self

    def get(self, address: str) -> requests.Response:
        """Redirects are followed as long as they stay here; each answer on the way is kept."""
        return self._kept(self.session.get(urljoin(self.origin, address), timeout=60))

    def post(self, address: str, fields: dict[str, str]) -> requests.Response:
        headers = {"Referer": urljoin(self.origin, address), "Origin": self.origin}
        return self._kept(self.session.post(urljoin(self.origin, address), fields, headers=headers, timeout=60))

    def _kept(self, answer: requests.Response) -> requests.Response:
        for each in (*answer.history, answer):
            self.pages.keep(self.name or "a passer-by", each)
        return answer

    def submit(self, page: requests.Response, ends: str, **values: str) -> requests.Response:
        """Send the form whose address ends so, with these fields filled in."""
        form = next((form for form in forms(page) if urlsplit(form.action).path.endswith(ends)), None)
        if form is None:
            message = f"no form {ends} on {page.url} ({page.status_code})"
            raise AssertionError(message)
        return self.post(urljoin(page.url, form.action), {**form.fields, **values})

    def crawl(self, starts: Iterable[str], each: int) -> int:
        """Follow every link of the portal, to so many addresses of each kind; how many pages were read."""
        waiting, known, of_kind = list(starts), set(), Counter[str]()
        while waiting:
            address = urljoin(self.origin, waiting.pop(0)).partition("#")[0]
            if address in known or not address.startswith(self.origin + "/"):
                continue
            known.add(address)
            kind = kind_of(address)
            if urlsplit(address).path.startswith(UNSEEN) or of_kind[kind] >= each:
                continue
            of_kind[kind] += 1
            waiting += [urljoin(address, link) for link in links(self.get(address))]
        return of_kind.total()


def kind_of(address: str) -> str:
    """The address without its ids and without what is asked for in it."""
    parts = urlsplit(address)
    path = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)\d+(?=/)|(?<=/t/)[\w-]+", "*", parts.path)
    return f"{path}?" if parts.query else path


def forms(page: requests.Response) -> list[Form]:
    """Those that are sent by POST; one without an address goes where its page is."""
    found = _Page(page.text).forms
    for form in found:
        form.action = form.action or urlsplit(page.url).path
    return found


def links(page: requests.Response) -> dict[str, str]:
    """{address: id}"""
    return _Page(page.text).links if "html" in page.headers.get("Content-Type", "") else {}
