"""Staff pages and what an address may ask of them: what a page declares, nothing else, and nothing that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.urls import reverse

from portal.support.filters import TypedFilter
from portal.support.read_only_admin import BEFORE, LIST, StaffAdmin
from tests.hostile_values import NUL, VALUES, broken
from tests.sampling import pairs
from tests.support.conftest import House
from tests.support.test_who_may import BUTTONS, LISTS, addresses, of

# What Django's own lists and pages would take.
DJANGOS = [
    "o", "all", "_popup", "_to_field", "_facets", "password__regex", "is_active__exact", "id__in", "term", "",
    "tenant__memberships__user__password__startswith",
]  # fmt: skip
PAGES = list(admin.site._registry.values())


@pytest.fixture
def support(dana: Any, sign_in: Callable[..., Any]) -> Any:
    client = sign_in(dana)
    client.raise_request_exception = False
    return client


def listed() -> Iterator[tuple[str, StaffAdmin]]:
    for name in LISTS:
        app, _, model = name.partition("_")
        page = next(p for p in PAGES if (p.opts.app_label, p.opts.model_name) == (app, model))
        assert isinstance(page, StaffAdmin)
        yield name, page


def test_every_registered_page_takes_only_what_it_declares() -> None:
    strangers = [page for page in PAGES if not isinstance(page, StaffAdmin)]
    assert strangers == [], "derive it from Editable or LookOnly (portal/support/read_only_admin.py)"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.opts.label_lower)
def test_no_page_filters_by_a_column_of_the_addresss_choice(page: Any) -> None:
    for each in page.list_filter:
        assert isinstance(each, type), f"{each}: name a SimpleListFilter, a column takes every look-up"
        assert issubclass(each, admin.SimpleListFilter), each
    assert not page.date_hierarchy, "takes years and days of the address's choice"
    assert not page.autocomplete_fields


def test_an_undeclared_parameter_is_refused_in_words(house: House, support: Any) -> None:
    wrong = []
    for name, address, for_support, _ in addresses(house):
        if for_support != 200:
            continue
        for parameter in DJANGOS if name.endswith("list") else ["password__regex", "_popup", "_to_field"]:
            answer = support.get(address, {parameter: "1"})
            if answer.status_code != 400 or b"This page does not take" not in answer.content:
                wrong.append((name, parameter, answer.status_code))
    assert wrong == []


@pytest.mark.parametrize("parameter", ["password__regex", "password__startswith", "memberships__tenant__name"])
def test_nobody_asks_about_passwords(house: House, support: Any, parameter: str) -> None:
    """What was done: 632 requests, each a yes or a no about one more character."""
    people = reverse("admin:members_user_changelist")
    answers = {support.get(people, {parameter: value}).content.count(b"alice@") for value in ("p", "^zzz")}
    assert answers == {0}


def test_a_list_to_go_back_to_holds_only_what_the_list_takes(house: House, support: Any) -> None:
    page = reverse("admin:tenancy_tenant_change", args=[house.tenant.id])
    assert support.get(page, {LIST: "q=aamu&state=active"}).status_code == 200
    assert support.get(page, {LIST: "password__regex=1"}).status_code == 400


def test_no_declared_parameter_breaks_its_list(house: House, support: Any) -> None:
    typed, moments, wrong = [], [], []
    for name, page in listed():
        address = reverse(f"admin:{name}_changelist")
        chosen = {each.parameter_name for each in page.list_filter if not issubclass(each, TypedFilter)}
        for parameter in page.query_parameters("changelist_view"):
            if parameter in chosen:  # what is chosen from a list goes no further when it is not on it
                wrong.append(broken(support, "get", address, {parameter: VALUES["half an id"]}))
            else:
                (moments if parameter == BEFORE else typed).append((address, parameter))
    # Moments are read by one parameter.
    others = [value for name, value in VALUES.items() if "moment" not in name]
    for (address, parameter), value in [
        *pairs(typed, others, each=2),
        *pairs(moments, list(VALUES.values()), each=3),
    ]:
        wrong.append(broken(support, "get", address, {parameter: value}))
    search = reverse("admin:search")
    wrong += [broken(support, "get", search, {"q": value}) for value in VALUES.values()]
    assert [each for each in wrong if each] == []


def test_no_declared_parameter_breaks_a_page(house: House, support: Any) -> None:
    run = reverse("admin:sync_syncrun_change", args=[house.run.id])
    assert not [each for v in VALUES.values() if (each := broken(support, "get", run, {"since": v.partition("~")[0]}))]


def test_no_key_in_an_address_breaks_a_page(house: House, support: Any) -> None:
    wrong = []
    for name in LISTS:
        for value in ("9" * 40, "-1", "half-an-id", "_5F_00", quote(VALUES["signs"])):
            wrong += [broken(support, "get", f"/admin/{name.replace('_', '/', 1)}/{value}/{page}/")
                      for page in ("change", "history", "delete")]  # fmt: skip
    wrong += [broken(support, "get", f"/admin/r/{kind}/{key}/") for kind in ("0", "9" * 40) for key in ("x", "9" * 40)]
    assert [each for each in wrong if each] == []


def test_what_no_column_can_hold_is_refused_in_words_everywhere(house: House, support: Any) -> None:
    wrong = []
    for name, address, *_ in addresses(house):
        for answer in (
            support.get(address, {"q": NUL}),
            support.get(address, {NUL: "x"}),
            support.post(address, {"x": NUL}),
        ):
            if answer.status_code != 400 or b"This request could not be read" not in answer.content:
                wrong.append((name, answer.status_code))
    assert wrong == []
    assert support.get("/admin/tenancy/tenant/a%00b/change/").status_code == 400


def test_no_button_is_broken_by_what_is_posted(house: House, ada: Any, sign_in: Callable[..., Any]) -> None:
    admins = sign_in(ada)
    admins.raise_request_exception = False
    fields = (
        "sure",
        "email",
        "role",
        "networks",
        "reason",
        "allow",
        "action",
        "_selected_action",
        "_to_field",
        "_popup",
    )
    targets = [reverse(f"admin:{name}", args=[of(house, part) for part in what]) for name, what in BUTTONS.items()]
    targets += [reverse(f"admin:{name}_changelist") for name in LISTS]
    targets += [reverse(f"admin:{name}_change", args=[of(house, what)]) for name, what in LISTS.items() if what]
    values = [VALUES[name] for name in ("half an id", "a huge number", "a long text", "signs")]
    wrong = [
        broken(admins, "post", address, {**dict.fromkeys(fields, value), "action": "suspend_chosen"})
        for address, value in pairs(targets, values, each=2)
    ]
    assert [each for each in wrong if each] == []
