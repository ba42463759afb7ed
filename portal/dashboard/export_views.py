"""Exports: asked for, watched, downloaded and deleted by those who may. What is in a file is opened here, and only here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.exports import services
from connections.exports.models import Export, ExportFile, ExportFormat, ExportState
from connections.spec.text import Text
from connections.vault.keys import KeyUnavailable
from connections.vault.models import Connection
from connections.vault.services import ActionRefused
from portal.dashboard.downloads import Download, TooManyDownloads
from portal.dashboard.forms import ConnectionExportForm, ExportForm
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.polling import fingerprint_of, render_if_changed
from portal.members.shortcuts import get_own_or_404
from portal.members.stepup import step_up_required
from portal.onboarding.marks import provider_of
from portal.rate_limits import limits
from portal.rate_limits.pages import limited

CONTENT_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSON_LINES: "application/jsonl; charset=utf-8",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


def _this_page(request: MemberRequest, **kwargs: Any) -> str:
    return request.path


def _export_page(request: MemberRequest, export_id: UUID, **kwargs: Any) -> str:
    return reverse("export", args=[request.tenant.slug, export_id])


# -- asked for ---------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@member(Action.EXPORT)
@step_up_required(_this_page)
@limited(limits.EXPORT)
def exports(request: MemberRequest) -> HttpResponse:
    """The exports of the last day, and the form to ask for everything."""
    form = ExportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _ask(request, form, None, "", back_to=redirect("exports", request.tenant.slug))
    rows = [(export, words_of(export)) for export in services.exports_of(request.tenant)]
    return render(request, "dashboard/exports.html", {"rows": rows, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@member(Action.EXPORT)
@step_up_required(_this_page)
@limited(limits.EXPORT)
def connection_export(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """What of this connection, and how."""
    connection = get_own_or_404(request, Connection, id=connection_id)
    provider = provider_of(connection)
    form = ConnectionExportForm(request.POST or None, provider=provider)
    if request.method == "POST" and form.is_valid():
        here = redirect("connection_export", request.tenant.slug, connection.id)
        return _ask(request, form, connection, form.cleaned_data["stream"], back_to=here)
    context = {"connection": connection, "provider": provider, "form": form}
    return render(request, "dashboard/connection_export.html", context)


def _ask(
    request: MemberRequest, form: ExportForm, connection: Connection | None, stream: str, *, back_to: HttpResponse
) -> HttpResponse:
    try:
        export = services.ask(
            tenant=request.tenant,
            connection=connection,
            stream=stream,
            export_format=form.chosen_format,
            actor=request.user.actor,
        )
    except ActionRefused as refused:
        messages.error(request, str(refused))
        return back_to
    except KeyUnavailable:
        messages.error(
            request, _("We cannot export at the moment: a key of the portal is missing. Our staff can see it.")
        )
        return back_to
    return redirect("export", request.tenant.slug, export.id)


# -- watched -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileRow:
    """One file, as a page lists it."""

    file: ExportFile
    company: str
    stream: Text
    name: str


@dataclass(frozen=True)
class ExportPage:
    """One export, and its files once it is ready."""

    export: Export
    words: str
    files: list[FileRow]

    @property
    def share(self) -> int:
        """How much of it is done, in percent: looking at the records takes about as long as writing them."""
        steps = 1 if self.export.format == ExportFormat.JSON_LINES else 2
        done = self.export.written + (self.export.looked if steps == 2 else 0)
        return min(99, 100 * done // max(steps * self.export.expected, 1))

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.export.state, self.export.looked, self.export.written)


def words_of(export: Export) -> str:
    """What it holds, in words. Needs its connection, and asks nothing."""
    if export.connection is None:
        return _("Everything of the company")
    provider = provider_of(export.connection)
    name = export.connection.company_name or str(provider.name)
    what = _stream_label(export.connection, export.stream) if export.stream else _("everything")
    return _("%(company)s: %(what)s") % {"company": name, "what": what}


def _stream_label(connection: Connection, stream: str) -> Text:
    return next((each.label for each in provider_of(connection).streams if each.name == stream), stream)


def _page(request: MemberRequest, export_id: UUID) -> ExportPage:
    export = get_own_or_404(request, services.young_exports(), id=export_id)
    files = services.files_of(export) if export.is_ready else []
    return ExportPage(export, words_of(export), [_file_row(request, export, file) for file in files])


def _file_row(request: MemberRequest, export: Export, file: ExportFile) -> FileRow:
    provider = provider_of(file.connection)
    company = file.connection.company_name or str(provider.name)
    return FileRow(file, company, _stream_label(file.connection, file.stream), _file_name(request, export, file))


def _file_name(request: MemberRequest, export: Export, file: ExportFile) -> str:
    parts = [
        request.tenant.slug,
        file.connection.provider,
        slugify(file.connection.company_name or file.connection.company_id)[:30],
        slugify(file.stream),
        f"{export.asked_at:%Y-%m-%d}",
        str(file.part) if file.part > 1 else "",
    ]
    return f"{'-'.join(filter(None, parts))}.{export.format}"


@require_GET
@never_cache
@member(Action.EXPORT)
def export(request: MemberRequest, export_id: UUID) -> HttpResponse:
    page = _page(request, export_id)
    return render(request, "dashboard/export.html", {"detail": page, "export": page.export})


@require_GET
@never_cache
@member(Action.EXPORT)
def export_poll(request: MemberRequest, export_id: UUID) -> HttpResponse:
    """What htmx asks for while it is written."""
    page = _page(request, export_id)
    return render_if_changed(
        request,
        "dashboard/export_poll.html",
        lambda: {"detail": page, "export": page.export},
        fingerprint=page.fingerprint,
    )


@require_POST
@member(Action.EXPORT)
@limited(limits.EXPORT)
def end_export(request: MemberRequest, export_id: UUID) -> HttpResponse:
    """Cancel it, or delete it."""
    export = get_own_or_404(request, services.young_exports(), id=export_id)
    state = services.end(export=export, actor=request.user.actor)
    if state == ExportState.CANCELLED:
        messages.success(request, _("The export is cancelled."))
    elif state == ExportState.DELETED:
        messages.success(request, _("The export is deleted: nobody can download it any more."))
    return redirect("exports", request.tenant.slug)


# -- downloaded --------------------------------------------------------------------------------------------------------


@require_POST
@never_cache
@member(Action.EXPORT)
@step_up_required(_export_page, resumes=False)
@limited(limits.DOWNLOAD)
def download_export(request: MemberRequest, export_id: UUID, file_id: UUID) -> HttpResponse:
    """The file, piece by piece. Who asks is known by now; each piece is opened in a scope of its own."""
    files = services.openable_files(request.tenant)
    file = get_own_or_404(request, files, id=file_id, export_id=export_id)
    try:
        download = Download(file, request.user, request.tenant.id)
    except TooManyDownloads:
        messages.error(request, _("Others are downloading at the moment. Try again soon."))
        return redirect("export", request.tenant.slug, export_id)
    except KeyUnavailable:
        messages.error(request, _("This file does not open: a key of the portal is missing. Our staff can see it."))
        return redirect("export", request.tenant.slug, export_id)
    services.note_download(file=file, actor=request.user.actor)
    response: Any = StreamingHttpResponse(download, content_type=CONTENT_TYPES[ExportFormat(file.export.format)])
    response["Content-Length"] = file.size
    response["Content-Disposition"] = content_disposition_header(True, _file_name(request, file.export, file))
    return response
