"""Pages of the portal itself: its health."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.members.access import needs_sign_in, to_sign_in
from portal.members.pending_request import came_from_our_page, page_of_the_form
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
