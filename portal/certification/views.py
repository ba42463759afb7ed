"""The certification board of the staff: reports that were made, one of them to read, print or take away, and a new one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from connections.providers import registry
from connections.spec.certification import RowKind
from connections.spec.provider import Environment
from portal.certification.chain import CHECK
from portal.certification.forms import ReportForm
from portal.certification.models import HOUSE, CertificationReport, ChainLink, ReportState
from portal.certification.reports import ask_again, ask_report
from portal.members.models import User

SHOWN = 50
BEFORE = "before"
PAGES = {
    RowKind.REQUEST: "admin:transport_requestlogentry_change",
    RowKind.RUN: "admin:sync_syncrun_change",
    RowKind.CONNECTION: "admin:vault_connection_change",
}


def list_reports(request: HttpRequest) -> HttpResponse:
    """The newest reports of all programmes, and the form for another one. One statement of its own."""
    return _list(request, ReportForm())


def _list(request: HttpRequest, form: ReportForm, status: int = 200) -> HttpResponse:
    reports = CertificationReport.objects.defer("content")
    position = _position(request.GET.get(BEFORE, ""))
    if position is not None:
        at, report_id = position
        reports = reports.filter(Q(asked_at__lt=at) | Q(asked_at=at, id__lt=report_id), asked_at__lte=at)
    rows = list(reports[: SHOWN + 1])
    page = rows[:SHOWN]
    context = {
        **admin.site.each_context(request),
        "title": _("Certification"),
        "reports": [(row, place_of(row)) for row in page],
        "following": f"{page[-1].asked_at.isoformat()}~{page[-1].id}" if len(rows) > SHOWN else "",
        "is_first": position is None,
        "form": form,
        "may_ask": _may_ask(request),
    }
    return TemplateResponse(request, "admin/certification.html", context, status=status)


def _position(text: str) -> tuple[datetime, UUID] | None:
    at, _tilde, key = text.partition("~")
    try:
        position = datetime.fromisoformat(at), UUID(key)
    except ValueError:
        return None
    return position if position[0].tzinfo is not None else None


def place_of(report: CertificationReport) -> str:
    """`Procountor API certification, production`, or plain names where a release knows it no longer."""
    provider = registry.find(report.provider)
    title = provider.certification.title if provider and provider.certification else report.provider
    return f"{title}, {Environment(report.environment).label}"


def ask_for_report(request: HttpRequest) -> HttpResponse:
    """The button of the form. Raises PermissionDenied."""
    _refuse_unless_pressed(request)
    form = ReportForm(request.POST)
    if not form.is_valid():
        return _list(request, form, 400)
    provider, environment = form.cleaned_data["place"].split("|")
    report_id = ask_report(
        provider=provider,
        environment=environment,
        first_day=form.cleaned_data["first_day"],
        last_day=form.cleaned_data["last_day"],
        actor=cast(User, request.user).actor,
    )
    return redirect("admin:certification_report", report_id)


def ask_for_report_again(request: HttpRequest, report_id: UUID) -> HttpResponse:
    """The button *Compute it again*. Raises PermissionDenied, Http404."""
    _refuse_unless_pressed(request)
    report = _report(report_id)
    if report.state == ReportState.COMPUTED:
        ask_again(report, actor=cast(User, request.user).actor)
        messages.success(request, _("It is computed again from the raw rows. The page says whether it is the same."))
    return redirect("admin:certification_report", report_id)


def show_report(request: HttpRequest, report_id: UUID) -> HttpResponse:
    """One report, for the screen and for paper. Raises Http404."""
    report = _report(report_id)
    content = json.loads(report.content) if report.content else None
    context = {
        **admin.site.each_context(request),
        "title": place_of(report),
        "report": report,
        "content": content,
        "lines": [_with_links(line) for line in content["lines"]] if content else [],
        "may_ask": _may_ask(request),
    }
    return TemplateResponse(request, "admin/certification_report.html", context)


def download_report(request: HttpRequest, report_id: UUID) -> HttpResponse:
    """The bytes as they were computed. Raises Http404."""
    report = _report(report_id)
    if not report.content:
        raise Http404
    response = HttpResponse(report.content.encode(), content_type="application/json; charset=utf-8")
    name = f"certification-{report.provider}-{report.environment}-{report.first_day}-{report.last_day}.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def show_chain(request: HttpRequest) -> HttpResponse:
    """The chain of evidence: its head, what came of verifying it, and its newest links. Two statements."""
    links = list(ChainLink.objects.filter(chain=HOUSE).order_by("-position")[:SHOWN])
    check = ChainLink.objects.filter(chain=HOUSE, trail=CHECK).order_by("-position").first()
    context = {
        **admin.site.each_context(request),
        "title": _("Chain of evidence"),
        "links": links,
        "check": check,
        "is_whole": check is not None and check.note == "0",
    }
    return TemplateResponse(request, "admin/chain.html", context)


def _with_links(line: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for row in line["rows"]:
        page = PAGES.get(row["kind"])
        rows.append({**row, "address": reverse(page, args=[row["id"]]) if page else ""})
    return {**line, "rows": rows, "more": line["breaches"] - len(rows)}


def _report(report_id: UUID) -> CertificationReport:
    report = CertificationReport.objects.filter(id=report_id).first()
    if report is None:
        raise Http404
    return report


def _may_ask(request: HttpRequest) -> bool:
    return cast(User, request.user).has_perm("certification.change_certificationreport")


def _refuse_unless_pressed(request: HttpRequest) -> None:
    """Admins only, by POST only: looking at a page changes nothing."""
    if not _may_ask(request) or request.method != "POST":
        raise PermissionDenied
