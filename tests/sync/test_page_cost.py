"""What a page costs: the statements of each, counted and named, and that one without news writes no record and sends none."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.db import connection as database

from connections.sync.models import RunState
from tests.sync.conftest import versions

QUOTA, BREAKER = "transport_quotawindow", "transport_breaker"
MOST_STATEMENTS = 4  # beside the call's own quota statement; BEGIN and COMMIT are not counted
# What tells each of them, in the order in which a page sends them.
SCOPE_AND_LEASE, ASK, WRITE, MOVE = (
    "FROM jobs_job",
    "WHERE kept.checksum",
    ", news AS",
    "sync_streamprogress",
)


@pytest.fixture
def pages_of(monkeypatch):
    """`pages_of(run)` runs it, and gives for each page after its stream's first the statements from its call on."""

    def statements(run):
        sent = []

        def note(execute, sql, params, many, context):
            assert "FROM jobs_job" not in sql or "set_config" not in sql or "portal.tenant_id" in params
            sent.append(sql)
            return execute(sql, params, many, context)

        with database.execute_wrapper(note):
            run = run()
        assert run.state == RunState.SUCCEEDED
        calls = [number for number, sql in enumerate(sent) if QUOTA in sql]
        pages = [sent[begin + 1 : end] for begin, end in pairwise(calls)]
        # The server's breaker is looked at once a second, however many pages that are.
        pages = [[sql for sql in page if BREAKER not in sql] for page in pages]
        stored = [page for page in pages if any(MOVE in sql and "AS (" in sql for sql in page)]
        # The first one also looks whether calls are recorded, the last one ends its stream, and the first of each reading
        # of a list that is read twice looks up what the reading before has shown.
        return [page for page in stored[1:-1] if not any('SELECT "sync_listedpage"' in sql for sql in page)]

    return statements


def names(page):
    return [next((name for name in (ASK, WRITE, MOVE, SCOPE_AND_LEASE) if name in sql), sql) for sql in page]


@pytest.mark.parametrize("slug", ["procountor", "smartbusiness", "hesabit"])
def test_a_page_costs_four_statements_at_most_whatever_it_brings(reading, pages_of, slug):
    reader = reading(slug)
    reader.server.fill(300)
    reader.server.holds = 50
    first = pages_of(reader.run)
    assert len(first) >= 3
    unchanged = pages_of(reader.run)
    for row in reader.server.rows[::7]:
        row["name"] = "another"
    changed = pages_of(reader.run)
    for page in first + unchanged + changed:
        assert len(page) <= MOST_STATEMENTS, names(page)
    if slug == "procountor":  # read once; the others' second reading of the list brings nothing new
        assert [names(page) for page in first] == [[SCOPE_AND_LEASE, WRITE, MOVE]] * len(first)
        assert [names(page) for page in changed] == [[SCOPE_AND_LEASE, ASK, WRITE, MOVE]] * len(changed)
        assert [names(page) for page in unchanged] == [[SCOPE_AND_LEASE, ASK, MOVE]] * len(unchanged)
    assert not any(WRITE in names(page) for page in unchanged)


def test_a_pass_without_news_writes_no_record(reading, pages_of):
    reader = reading("procountor")
    reader.server.fill(300)
    reader.server.holds = 50
    reader.run()
    before = versions()
    pages_of(reader.run)
    assert versions() == before
    assert reader.kept == reader.served
