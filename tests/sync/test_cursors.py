"""What the next run asks for: never later than the moment a pass began, and nothing that one odd record could spoil."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connections.providers import registry
from connections.spec.streams import BadPage, Since
from connections.sync.models import StreamCursor

SINCE = Since("changedFrom", "version", overlap=timedelta(hours=3))


@pytest.mark.parametrize(
    ("values", "before", "newest"),
    [
        (["2026-11-20T10:00:00", "2026-11-20T11:00:00"], "", "2026-11-20T11:00:00"),
        (["2026-11-20T10:00:00"], "2026-11-20T12:00:00", "2026-11-20T12:00:00"),
        (["2026-11-20T10:00:00", "2099-01-01T00:00:00"], "", "2026-11-20T10:00:00"),
        (["2026-11-20T10:00:00", "2026-11-20Tnoon"], "", "2026-11-20T10:00:00"),
        (["yesterday", "2026-11-20T10:00:00", None, 5], "", "2026-11-20T10:00:00"),
        (["10:00"], "", ""),
        ([], "2026-11-20T12:00:00", "2026-11-20T12:00:00"),
    ],
)
def test_the_newest_change_is_the_latest_believable_one(values, before, newest):
    assert SINCE.newest([{"version": value} for value in values], before) == newest
    assert SINCE.newest([{}], before) == before


def test_moving_back_keeps_the_form_of_the_filter():
    assert SINCE.back("2026-11-20T10:00:00.250", timedelta(hours=11)) == "2026-11-19T23:00:00"
    with pytest.raises(BadPage):
        SINCE.back("soon", timedelta(0))


def test_a_cursor_kept_in_another_form_means_reading_everything(syncing):
    syncing.run()
    before = StreamCursor.objects.get(stream="invoices").newest
    for strange in ("1402/08/30", "31.12.2026"):
        StreamCursor.objects.update(newest=strange)
        run = syncing.run()
        assert run.state == "succeeded"
        assert syncing.progress(run, "invoices").since == ""
        assert StreamCursor.objects.get(stream="invoices").newest[:15] == before[:15]


def test_the_path_leads_to_what_paging_reads():
    for provider in registry.all_providers().values():
        for stream in provider.streams:
            envelope = stream.paging.envelope
            bodies = [{name: [{stream.key: 1}]} for name in envelope.names] + [[{stream.key: 1}]] * envelope.bare
            for body in bodies:
                page = stream.paging.read(body, stream.key)
                for step in page.path:
                    body = body[step]
                assert body is page.records
