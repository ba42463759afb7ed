"""Staff pages that belong to no model: the one box."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from portal.support.search import find
from portal.support.search_text import LONGEST_TEXT_CHARACTERS


def search(request: HttpRequest) -> HttpResponse:
    """Straight to the one thing that was found, or a short list. The text stays in the box."""
    query = request.GET.get("q", "")
    result = find(query)
    if len(result.hits) == 1 and not result.more:
        return redirect(result.hits[0].address)
    context = {
        **admin.site.each_context(request),
        "title": _("Find"),
        "query": query[:LONGEST_TEXT_CHARACTERS],
        "result": result,
    }
    return TemplateResponse(request, "admin/search.html", context)
