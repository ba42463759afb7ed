"""Pages of the portal itself: a form that came too late, and for staff whether everything works."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.members.access import needs_sign_in, to_sign_in
from portal.members.pending_request import came_from_our_page, page_of_the_form
from portal.operations.health_answers import answers
from portal.rate_limits.middleware import typed_values


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose token is missing or old. Who is not signed in does that first; who is may send the form again.

    What a signed-in person typed is kept where the browser says that a page of ours sent it: nobody else fills in a form
    of theirs. What is sent to a page for everybody, such as the sign-in's, comes back on none: nobody knows what it is.
    """
    is_ours = came_from_our_page(request)
    if needs_sign_in(request) and not request.user.is_authenticated:
        return to_sign_in(request, may_keep=is_ours)
    may_keep = is_ours and needs_sign_in(request)
    typed, is_whole = typed_values(request) if may_keep else ([], False)
    context = {
        "typed": typed,
        "is_whole": is_whole,
        "address": request.get_full_path(),
        "page": page_of_the_form(request),
    }
    return render(request, "403_csrf.html", context, status=403)


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """For staff: the same answers as `manage.py health`. That the page is shown says that a web process serves."""
    states = {True: "right", False: "wrong", None: "unjudged"}
    rows = [(answer, states[answer.is_right]) for answer in answers()]
    context = {
        **admin.site.each_context(request),
        "title": _("Whether everything works"),
        "rows": rows,
        "wrong": sum(state == "wrong" for _answer, state in rows),
    }
    return TemplateResponse(request, "admin/health.html", context)
