"""Every stream of every provider: each record once over all pages, and nothing written when nothing changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connections.spec.streams import Numbered
from connections.sync.models import Record, RunState
from portal.records import values
from tests.contract.auth_methods import AuthMethod, auth_methods, auth_methods_of
from tests.contract.customers import Customer
from tests.sync.conftest import versions

PAGES, WHOLE = 2, 41


def read_in() -> list[AuthMethod]:
    """How bodies are written is what reading depends on, not how one came in: each provider in each form once."""
    return [
        auth_method
        for auth_method in auth_methods()
        if auth_method.wire or auth_method == auth_methods_of(auth_method.provider)[0]
    ]


def to_read() -> list[tuple[AuthMethod, str]]:
    return [(auth_method, stream.name) for auth_method in read_in() for stream in auth_method.provider.streams]


@pytest.mark.parametrize(("reading", "name"), to_read(), ids=str)
def test_every_record_comes_once_over_all_pages(
    arrive: Callable[[AuthMethod], Customer], reading: AuthMethod, name: str
) -> None:
    """Two full pages and one record more; where a list has no pages, a good handful."""
    customer = arrive(reading).connect()
    stream = customer.provider.stream(name)
    size = getattr(stream.paging, "size", None)
    customer.hold(name, WHOLE if size is None else PAGES * size + 1)
    run = customer.sync(*([stream.each.stream] if stream.each else []), name)
    assert (run.state, run.fault) == (RunState.SUCCEEDED, "")
    lists = customer.served(stream)
    assert customer.kept(stream) == sorted(key for each in lists for key in each)
    progress = customer.progress(run)[name]
    assert progress.seen == progress.added == Record.objects.filter(stream=name).count()
    assert progress.changed == 0
    if stream.each is None:
        # A page more to see the end; where nothing is promised about the order, every page twice.
        times = 2 if isinstance(stream.paging, Numbered) else 1
        assert progress.pages <= sum(
            1 if size is None else times * max(1, -(-len(each) // size)) + 1 for each in lists
        )


@pytest.mark.parametrize("reading", read_in(), ids=str)
def test_a_second_sync_writes_nothing(arrive: Callable[[AuthMethod], Customer], reading: AuthMethod) -> None:
    customer = arrive(reading).connect()
    assert customer.sync().state == RunState.SUCCEEDED
    before = versions()
    assert before, "nothing was read at all"
    again = customer.sync()
    assert again.state == RunState.SUCCEEDED
    assert {name: (each.added, each.changed) for name, each in customer.progress(again).items()} == {
        stream.name: (0, 0) for stream in customer.provider.streams
    }
    assert versions() == before, "a row was touched"


@pytest.mark.parametrize("reading", read_in(), ids=str)
def test_every_column_stands_somewhere_in_what_is_served(
    arrive: Callable[[AuthMethod], Customer], reading: AuthMethod
) -> None:
    """A path that no record has would be an empty column; a value that is searched is stored in its place."""
    customer = arrive(reading).connect()
    assert customer.sync().state == RunState.SUCCEEDED
    missing = []
    for stream in customer.provider.streams:
        bodies = [
            values.flat(body) for body in Record.objects.filter(stream=stream.name).values_list("body", flat=True)
        ]
        held = {path for body in bodies for path in body}
        missing += [
            (stream.name, column.path)
            for column in stream.columns
            if column.path not in held and not any(path.startswith(f"{column.path}.") for path in held)
        ]
        for place, column in enumerate(stream.searched, 1):
            rows = Record.objects.filter(stream=stream.name, **{f"search_{place}__isnull": False})
            missing += [] if rows.exists() else [(stream.name, column.path, "is found by nothing")]
    assert missing == []


@pytest.mark.parametrize("reading", read_in(), ids=str)
def test_what_was_edited_there_is_changed_here_and_nothing_else(
    arrive: Callable[[AuthMethod], Customer], reading: AuthMethod
) -> None:
    customer = arrive(reading).connect()
    assert customer.sync().state == RunState.SUCCEEDED
    stream = customer.first_list
    edited = [record[stream.key] for record in customer.simulator.records(stream.name)[:3]]
    customer.simulator.control("touch", {"stream": stream.name, "ids": edited})
    progress = customer.progress(customer.sync())[stream.name]
    assert (progress.added, progress.changed) == (0, len(edited))
