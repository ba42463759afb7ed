"""Jobs and mails for staff: what waits, what was given up; admins may queue a parked job again."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from connections.jobs.models import Job, JobState
from portal.members.models import User
from portal.members.statuses import status_of
from portal.notices.models import MailState, OutgoingMail
from portal.support import services
from portal.support.admin_actions import ButtonPress, get_button_press
from portal.support.filters import Choices, TenantFilter
from portal.support.formatting import NOTHING, badge, link, text, when, with_more
from portal.support.list_search import search_jobs, search_mails
from portal.support.models import PlannedAction
from portal.support.planned_actions import MAY
from portal.support.read_only_admin import LookOnly


class JobStateFilter(Choices):
    title = _("state")
    parameter_name = column = "state"
    options = tuple(JobState.choices)


@admin.register(Job)
class JobAdmin(LookOnly):
    """The queue. What a job is to do stands in rows of its tenant; here are ids and times."""

    paged_by = "-created_at"
    row_search = staticmethod(search_jobs)
    list_display = ("created", "kind", "tenant", "state_and_reason", "due", "failures")
    list_filter = (JobStateFilter, TenantFilter)
    list_select_related = ("tenant",)
    search_fields = ("kind",)
    search_help_text = _("Job id, the id of what it works on, its kind or the first word of that.")
    fields = (
        "id",
        "kind",
        "subject",
        "tenant_link",
        "queue",
        "state_badge",
        "reason",
        "created",
        "due",
        "ended",
        "starts",
        "failures",
        "owner",
        "epoch",
        "leased",
        "trace_id",
    )
    readonly_fields = fields
    change_form_template = "admin/jobs/job/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return super().get_queryset(request).select_related("tenant")

    def get_urls(self) -> list[URLPattern]:
        again = self.admin_site.admin_view(self.queue_again)
        return [path("<uuid:job_id>/queue-again/", again, name="jobs_job_again"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        job = self.get_object(request, object_id)
        may = (
            job is not None and job.state == JobState.PARKED and cast(User, request.user).can(MAY[PlannedAction.QUEUE])
        )
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "may_queue_again": may})

    def queue_again(self, request: HttpRequest, job_id: Any) -> HttpResponse:
        """Admins, by a button."""
        press: ButtonPress[Job] = get_button_press(request, Job, job_id)
        again = services.queue_again(job=press.row, actor=press.actor)
        if again is None:
            messages.warning(request, gettext("This job is not parked any more."))
            return redirect("admin:jobs_job_change", job_id)
        LogEntry.objects.log_actions(
            cast(User, request.user).pk, [press.row], CHANGE, gettext("Queued again."), single_object=True
        )
        messages.success(request, gettext("Queued again as a new job."))
        return redirect("admin:jobs_job_change", again)

    @admin.display(description=_("tenant"))
    def tenant_link(self, job: Job) -> SafeString | str:
        return link(job.tenant, job.tenant_id, job.tenant.name) if job.tenant else NOTHING

    @admin.display(description=_("state and reason"))
    def state_and_reason(self, job: Job) -> SafeString:
        return with_more(self.state_badge(job), text(job.reason))

    @admin.display(description=_("state"))
    def state_badge(self, job: Job) -> SafeString:
        return badge(status_of(job))

    @admin.display(description=_("created"))
    def created(self, job: Job) -> SafeString | str:
        return when(job.created_at)

    @admin.display(description=_("due"))
    def due(self, job: Job) -> SafeString | str:
        return when(job.due_at)

    @admin.display(description=_("ended"))
    def ended(self, job: Job) -> SafeString | str:
        return when(job.ended_at)

    @admin.display(description=_("leased until"))
    def leased(self, job: Job) -> SafeString | str:
        return when(job.lease_until)


class MailStateFilter(Choices):
    title = _("state")
    parameter_name = column = "state"
    options = tuple(MailState.choices)


@admin.register(OutgoingMail)
class MailAdmin(LookOnly):
    """Whether mails leave. What they say, and whom exactly they are for, is sealed for the workers."""

    paged_by = "-created_at"
    row_search = staticmethod(search_mails)
    search_fields = ("id",)  # shows the box; what it means stands in list_search.py
    search_help_text = _("Mail id, or the id of what it was about.")
    list_display = ("created", "recipients_hint", "state_badge", "tries", "trouble", "when_sent")
    list_filter = (MailStateFilter,)
    fields = ("id", "about", "recipients_hint", "state_badge", "tries", "trouble", "created", "when_sent")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutgoingMail]:
        # The staff's role has no right on the other columns.
        return (
            super()
            .get_queryset(request)
            .only("id", "about", "state", "tries", "trouble", "recipients_hint", "created_at", "sent_at")
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        mail = self.get_object(request, object_id)
        is_unsent = mail is not None and mail.state in (MailState.FAILED, MailState.REFUSED)
        may = is_unsent and cast(User, request.user).can(MAY[PlannedAction.MAIL])
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "may_send_again": may})

    @admin.display(description=_("state"))
    def state_badge(self, mail: OutgoingMail) -> SafeString:
        return badge(status_of(mail))

    @admin.display(description=_("asked for"))
    def created(self, mail: OutgoingMail) -> SafeString | str:
        return when(mail.created_at)

    @admin.display(description=_("sent"))
    def when_sent(self, mail: OutgoingMail) -> SafeString | str:
        return when(mail.sent_at)
