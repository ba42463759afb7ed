"""Lists that say less, more or something else than their documents: read to their end, or not green. All five providers."""

from __future__ import annotations

import json
import random

import pytest

from connections.spec import paging
from connections.sync.models import RunState
from tests.sync.conftest import versions
from tests.sync.list_server import DIALECTS, paging_of

EVERY = sorted(DIALECTS)
PAGED = [slug for slug in EVERY if DIALECTS[slug].paging != "whole"]
SLIDING = [slug for slug in EVERY if DIALECTS[slug].paging in ("number", "offset")]


# -- where a list ends ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", ["none", "whole", "this page"])
@pytest.mark.parametrize("slug", EVERY)
def test_a_server_that_holds_less_in_a_page_than_was_asked_for_is_read_to_its_end(reading, slug, total):
    reader = reading(slug)
    reader.server.fill(253)
    reader.server.holds = 50
    reader.server.total = {"none": None, "whole": 253, "this page": len}[total]
    run = reader.run()
    assert (run.state, run.fault) == (RunState.SUCCEEDED, "")
    assert reader.kept == reader.served
    progress = reader.progress(run)
    assert progress.seen == progress.added == 253


@pytest.mark.parametrize("slug", EVERY)
def test_every_length_is_read_with_few_requests(reading, slug):
    reader = reading(slug)
    size = paging_of(slug).size if slug in PAGED else 10**9
    for count in (0, 1, 37, 100, 101, 200, 201):
        reader.server.fill(count)
        reader.server.total = count if reader.server.dialect.total else None
        reader.server.asked.clear()
        assert reader.run().state == RunState.SUCCEEDED
        assert reader.kept == reader.served
        pages = max(1, -(-count // size))
        # A page more to see the end; where nothing is promised about the order, every page twice. Behind a page of a single
        # record nobody sees whether rows slid past, so that one is asked for twice as well.
        most = {"whole": 1, "after": pages + 1, "offset": pages + 1 + (count == 1), "number": 2 * pages + 1}
        assert len(reader.server.asked) <= most[reader.server.dialect.paging], count
    before = versions()
    assert reader.run().state == RunState.SUCCEEDED
    assert versions() == before


@pytest.mark.parametrize("slug", EVERY)
def test_a_list_that_gives_less_than_it_tells_is_never_green(reading, slug):
    reader = reading(slug)
    reader.server.fill(50)
    reader.server.total = 1_000_000
    run = reader.run()
    assert (run.state, run.fault) == (RunState.FAILED, "list-short")
    assert reader.kept == reader.served
    assert any("1,000,000" in said and "50" in said for said in reader.said(run))
    reader.server.total = 50
    assert reader.run().state == RunState.SUCCEEDED


MORE = [
    {"hasMore": True},
    {"has_more": "true"},
    {"next": "/v1/customers?cursor=abc"},
    {"paging": {"next_cursor": "abc"}},
    {"@odata.nextLink": "https://elsewhere.example/x"},
    {"_links": {"next": {"href": "/x"}}},
    {"links": [{"rel": "next", "href": "/x"}]},
]


@pytest.mark.parametrize("slug", EVERY)
def test_a_list_that_says_to_the_end_that_there_is_more_is_never_green(reading, slug):
    reader = reading(slug)
    reader.server.fill(137)
    for beside in MORE:
        reader.server.beside = beside
        run = reader.run()
        assert (run.state, run.fault) == (RunState.FAILED, "list-short"), beside
    assert all("cursor" not in query for query in reader.server.asked)


def test_a_next_link_in_a_header_counts(reading):
    reader = reading("hesabit")
    reader.server.fill(37)
    reader.server.headers = {"Link": '</v1/customers?page=2>; rel="next"'}
    assert reader.run().fault == "list-short"
    reader.server.headers = {"Link": '</v1/customers?page=1>; rel="first"'}
    assert reader.run().state == RunState.SUCCEEDED
    reader.server.headers = {"X-Total-Count": "50"}
    assert reader.run().fault == "list-short"


@pytest.mark.parametrize("slug", PAGED)
def test_a_server_that_ignores_paging_gave_the_whole_list(reading, slug):
    reader = reading(slug)
    reader.server.ignores_paging = True
    for count in (37, 137, 237):
        reader.server.fill(count)
        run = reader.run()
        assert (run.state, run.fault) == (RunState.SUCCEEDED, ""), count
        assert reader.kept >= reader.served
        assert reader.progress(run).seen == count


@pytest.mark.parametrize("slug", PAGED)
def test_as_many_as_were_asked_for_and_the_same_again_is_a_cut_list(reading, slug):
    reader = reading(slug)
    reader.server.fill(410)
    for holds in (paging_of(slug).size, 50):
        reader.server.ignores_paging, reader.server.holds = True, holds
        run = reader.run()
        assert (run.state, run.fault) == (RunState.FAILED, "list-cut")
        assert len(reader.kept) == paging_of(slug).size


@pytest.mark.parametrize("slug", PAGED)
def test_no_list_is_read_without_end(reading, slug, monkeypatch):
    monkeypatch.setattr(paging, "MOST_WITHOUT_TOTAL", 2000)
    reader = reading(slug)

    def longer(number):
        reader.server.fill(400 * number + 400)

    reader.server.before = longer
    run = reader.run()
    assert (run.state, run.fault) == (RunState.FAILED, "list-endless")
    assert len(reader.server.asked) < 60
    reader.server.total, asked = 500, len(reader.server.asked)
    assert reader.run().fault == "list-endless"
    assert len(reader.server.asked) < asked + 60


@pytest.mark.parametrize("slug", EVERY)
def test_a_part_of_an_answer_is_never_taken_for_a_page(reading, slug):
    reader = reading(slug)
    reader.server.fill(5)
    for status in (206, 202):
        reader.server.instead = lambda number, query, path, status=status: (
            status,
            json.dumps(reader.server.page(query) if status == 206 else []).encode(),
        )
        run = reader.run()
        assert (run.state, run.fault) == (RunState.FAILED, "list-short")


@pytest.mark.parametrize("slug", EVERY)
def test_nothing_is_an_empty_list(reading, slug):
    reader = reading(slug)
    name = reader.server.dialect.name or "data"
    for answer in (204, b""), (200, b"null"), (200, b""), (200, b"[]"), (200, b'{"%s": null}' % name.encode()):
        reader.server.instead = lambda number, query, path, answer=answer: answer
        run = reader.run()
        assert (run.state, run.fault) == (RunState.SUCCEEDED, ""), answer
        assert reader.progress(run).seen == 0


@pytest.mark.parametrize("slug", PAGED)
def test_nothing_may_be_the_last_page(reading, slug):
    reader = reading(slug)
    reader.server.fill(120)
    reader.server.holds = 40
    real = reader.server.shown
    reader.server.instead = lambda number, query, path: None if real(query) else (204, b"")
    run = reader.run()
    assert run.state == RunState.SUCCEEDED
    assert reader.kept == reader.served


# -- what stands around it --------------------------------------------------------------------------------------------

WRAPPINGS = {
    "bare": lambda rows: rows,
    "data": lambda rows: {"data": rows},
    "records": lambda rows: {"Records": rows},
    "one level down": lambda rows: {"data": {"items": rows}},
    "beside others": lambda rows: {"status": "ok", "warnings": [], "value": rows, "errors": None},
}


DOUBTFUL = [{}, {"ones": [{"id": 1}], "others": [{"id": 2}]}, {"errors": [{"id": 1}]}, "none", 7, {"count": 0}]


@pytest.mark.parametrize("slug", EVERY)
def test_a_list_that_stands_elsewhere_is_read_where_there_is_no_doubt(reading, slug):
    reader = reading(slug)
    for count, (name, wrapped) in enumerate(WRAPPINGS.items(), 251):
        reader.server.fill(count)
        reader.server.wrap = lambda body, wrapped=wrapped: wrapped(
            body if isinstance(body, list) else [*body.values()][-1]
        )
        run = reader.run()
        assert (run.state, run.fault) == (RunState.SUCCEEDED, ""), name
        assert reader.kept == reader.served, name
    for body in DOUBTFUL:
        reader.server.instead = lambda number, query, path, body=body: (200, json.dumps(body).encode())
        run = reader.run()
        assert (run.state, run.fault) == (RunState.FAILED, "page-unreadable"), body


# -- while it moves ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [1, 60])
@pytest.mark.parametrize("slug", EVERY)
def test_what_stands_is_read_although_others_are_deleted_while_paging(reading, slug, gone):
    reader = reading(slug)
    reader.server.fill(410)
    reader.server.holds = 50
    reader.server.total = lambda shown: len(reader.server.rows)

    def delete(number):
        if number == 2:
            for each in range(1, gone + 1):
                reader.server.drop(each)

    reader.server.before = delete
    run = reader.run()
    assert reader.served <= reader.kept
    assert (run.state, run.fault) == (RunState.SUCCEEDED, "")


@pytest.mark.parametrize("slug", EVERY)
def test_what_stands_is_read_although_one_goes_between_any_two_requests(reading, slug):
    """Never quiet: then a run may be not green, but it is not green without a record."""
    reader = reading(slug)
    reader.server.fill(410)
    reader.server.holds = 50
    reader.server.before = lambda number: reader.server.drop(number)
    run = reader.run()
    assert reader.served <= reader.kept or run.state != RunState.SUCCEEDED
    reader.server.before = lambda number: None
    assert reader.run().state == RunState.SUCCEEDED
    assert reader.served <= reader.kept


@pytest.mark.parametrize("slug", SLIDING)
def test_what_moves_to_the_front_while_paging_is_read(reading, slug):
    """As where a server sorts by the last change, whatever was asked for."""
    reader = reading(slug)
    reader.server.fill(410)
    reader.server.holds = 50

    def change(number):
        if number == 3:
            reader.server.rows.insert(0, reader.server.rows.pop(300))

    reader.server.before = change
    run = reader.run()
    assert (run.state, run.fault) == (RunState.SUCCEEDED, "")
    assert reader.kept == reader.served


@pytest.mark.parametrize("slug", SLIDING)
def test_an_order_of_chance_is_never_green(reading, slug):
    reader = reading(slug)
    reader.server.fill(410)
    chance = random.Random(1)
    reader.server.before = lambda number: chance.shuffle(reader.server.rows)
    run = reader.run()
    assert (run.state, run.fault) == (RunState.FAILED, "list-moves")


@pytest.mark.parametrize("slug", SLIDING)
def test_a_bad_record_that_stands_alone_on_its_page_costs_no_other(reading, slug):
    reader = reading(slug)
    size = paging_of(slug).size
    reader.server.fill(2 * size + 1)
    reader.server.rows[-1][reader.server.dialect.key] = None
    run = reader.run()
    assert (run.state, run.fault) == (RunState.INCOMPLETE, "records-skipped")
    assert len(reader.kept) == 2 * size


def test_a_list_that_goes_on_beyond_its_total_is_left_soon_where_its_pages_are_small(reading):
    reader = reading("procountor")
    reader.server.fill(4000)
    reader.server.holds, reader.server.total = 1, 3
    run = reader.run()
    assert (run.state, run.fault) == (RunState.FAILED, "list-endless")
    assert len(reader.server.asked) < 100
