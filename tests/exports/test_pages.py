"""The pages of exports: asked for, watched, downloaded by those who may, and by nobody else."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.urls import reverse

from connections.exports import frames
from connections.exports.models import Export, ExportChunk, ExportFile
from connections.tenancy.models import AuditEvent
from portal.dashboard import downloads
from portal.members.models import Membership
from tests.conftest import PASSWORD
from tests.exports.conftest import ask, keep, numbered
from tests.roles import acting_as

pytestmark = pytest.mark.process

EXPORTS = "/t/aamu/exports/"


def body(answer: Any) -> bytes:
    """What the server sends on: read as the web, outside of the page's transaction."""
    with acting_as("web"):
        data = b"".join(answer)
    answer.close()
    return data


def download_url(file: ExportFile, slug: str = "aamu") -> str:
    return reverse("download_export", args=[slug, file.export_id, file.id])


@pytest.fixture
def ready(books, work_off) -> ExportFile:
    """A file that can be downloaded."""
    keep(books, "invoices", numbered(3))
    ask(books.tenant, books, "invoices")
    work_off()
    return ExportFile.objects.get()


def actions() -> list[str]:
    return list(
        AuditEvent.objects.filter(action__startswith="export.")
        .order_by("happened_at")
        .values_list("action", flat=True)
    )


def test_from_the_connection_to_the_file(books, bob, sign_in, work_off):
    keep(books, "invoices", numbered(3))
    client = sign_in(bob)
    page = f"/t/aamu/c/{books.id}/"
    assert f'href="{page}export/"' in client.get(page).content.decode()
    assert "everything of this connection" in client.get(f"{page}export/").content.decode()
    begun = client.post(f"{page}export/", {"stream": "invoices", "format": "csv"})
    export = Export.objects.get()
    assert begun["Location"] == f"{EXPORTS}{export.id}/"
    moving = client.get(begun["Location"]).content.decode()
    assert "It begins in a moment." in moving
    assert f'hx-get="{EXPORTS}{export.id}/poll/?seen=' in moving
    work_off()
    polled = client.get(f"{EXPORTS}{export.id}/poll/", {"seen": "another"}).content.decode()
    assert "The export has ended:" in polled
    file = ExportFile.objects.get()
    assert f'action="{download_url(file)}"' in polled
    answer = client.post(download_url(file))
    assert answer["Content-Disposition"].startswith('attachment; filename="aamu-procountor-invoices-')
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer["Cache-Control"]
    data = body(answer)
    assert int(answer["Content-Length"]) == len(data)
    assert [row["id"] for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig")))] == ["0", "1", "2"]
    assert actions() == ["export.asked", "export.downloaded"]
    event = AuditEvent.objects.get(action="export.downloaded")
    assert (event.actor_name, event.details["records"], event.details["stream"]) == (bob.actor.name, 3, "invoices")
    assert f'href="{EXPORTS}{export.id}/"' in client.get(EXPORTS).content.decode()


def test_everything_of_the_company_is_asked_for_on_the_page_of_exports(books, alice, sign_in):
    client = sign_in(alice)
    assert client.post(EXPORTS, {"format": "exe"}).status_code == 200
    client.post(EXPORTS, {"format": "parquet"})
    export = Export.objects.get()
    assert (export.connection_id, export.stream, export.format) == (None, "", "parquet")
    answer = client.post(f"/t/aamu/c/{books.id}/export/", {"format": "csv", "stream": "no such stream"})
    assert "Select a valid choice" in answer.content.decode()


def test_who_was_not_seen_lately_confirms_first(ready, alice, sign_in):
    client = sign_in(alice, lately=False)
    for address in (EXPORTS, f"/t/aamu/c/{ready.connection_id}/export/", download_url(ready)):
        assert client.get(EXPORTS).status_code == 200
        asked = client.post(address, {"format": "csv"})
        assert asked["Location"].startswith("/account/reauthenticate/"), address
    assert Export.objects.count() == 1
    assert actions() == ["export.asked"]
    # The file itself is not sent to the page that asks: it is pressed once more.
    back = client.post(asked["Location"], {"password": PASSWORD, "next": f"{EXPORTS}{ready.export_id}/"})
    assert back["Location"] == f"{EXPORTS}{ready.export_id}/"
    assert body(client.post(download_url(ready)))


def test_viewers_strangers_and_staff_get_nothing(ready, vera, charlie, dana, ada, sign_in):
    foreign = sign_in(charlie)
    for client in (sign_in(vera), foreign, sign_in(dana), sign_in(ada)):
        assert client.get(EXPORTS).status_code == 404
        assert client.get(f"{EXPORTS}{ready.export_id}/").status_code == 404
        assert client.post(download_url(ready)).status_code == 404
    assert foreign.post(download_url(ready, "kaste")).status_code == 404
    assert foreign.get(f"/t/kaste/exports/{ready.export_id}/").status_code == 404
    assert actions() == ["export.asked"]


def test_a_right_that_ends_ends_the_download(ready, books, bob, sign_in, work_off):
    ExportFile.objects.update(chunks=2)
    answer = sign_in(bob).post(download_url(ready))
    pieces = iter(answer)
    with acting_as("web"):
        assert next(pieces)
    Membership.objects.filter(user=bob).update(role="viewer")
    with acting_as("web"):
        with pytest.raises(downloads.DownloadEnded, match="no longer"):
            next(pieces)
    answer.close()
    assert downloads._places.acquire(blocking=False)
    downloads._places.release()


def test_nothing_is_downloaded_of_what_was_deleted(ready, bob, sign_in, work_off):
    client = sign_in(bob)
    begun = client.post(download_url(ready))
    assert client.post(f"{EXPORTS}{ready.export_id}/end/")["Location"] == EXPORTS
    assert "Nothing of it can be downloaded" in client.get(f"{EXPORTS}{ready.export_id}/").content.decode()
    assert client.post(download_url(ready)).status_code == 404
    work_off()
    with pytest.raises(downloads.DownloadEnded, match="gone"):
        body(begun)
    begun.close()
    assert actions()[-1] == "export.deleted"


def test_a_piece_in_another_place_does_not_open(books, bob, sign_in, work_off, monkeypatch):
    keep(books, "invoices", [(f"{number:05}", f'{{"id":{number},"x":"{"y" * 900}"}}') for number in range(1500)])
    ask(books.tenant, books, "invoices")
    work_off()
    file = ExportFile.objects.get()
    assert file.size > 2 * frames.CHUNK_BYTES
    first, second = (ExportChunk.objects.get(place=place) for place in (0, 1))
    ExportChunk.objects.filter(id=first.id).update(ciphertext=second.ciphertext)
    with pytest.raises(downloads.DownloadEnded, match="does not open"):
        body(sign_in(bob).post(download_url(file)))


def test_few_download_at_a_time_and_each_gives_its_place_back(ready, bob, sign_in):
    client = sign_in(bob)
    begun = [client.post(download_url(ready)) for _ in range(downloads.MOST_DOWNLOADS)]
    refused = client.post(download_url(ready))
    assert refused["Location"] == f"{EXPORTS}{ready.export_id}/"
    assert "Others are downloading" in client.get(refused["Location"]).content.decode()
    for answer in begun:
        answer.close()
    assert body(client.post(download_url(ready)))


def test_what_went_wrong_and_what_was_empty_is_said(books, bob, sign_in, work_off):
    client = sign_in(bob)
    export = ask(books.tenant, books)
    work_off()
    assert "There was nothing to export" in client.get(f"{EXPORTS}{export.id}/").content.decode()
    Export.objects.update(state="failed", reason="no-room")
    assert "Earlier exports take up the room" in client.get(f"{EXPORTS}{export.id}/").content.decode()
