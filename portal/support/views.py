"""Staff pages that belong to no model: the one box."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from portal.support.search import find
from portal.support.search_text import LONGEST_TEXT_CHARACTERS

MOST_ANSWERS = 8  # while somebody types
LEAST_TYPED = 2  # characters that are worth an answer


def search(request: HttpRequest) -> HttpResponse:
    """Straight to the one thing that was found, or a short list. The text stays in the box.

    While somebody types, htmx asks for the first few alone.
    """
    query = request.GET.get("q", "")
    if "HX-Request" in request.headers:
        return _answers(request, query)
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


def _answers(request: HttpRequest, query: str) -> HttpResponse:
    typed = query.strip()
    result = find(typed) if len(typed) >= LEAST_TYPED else None
    words = {
        "query": typed[:LONGEST_TEXT_CHARACTERS],
        "hits": result.hits[:MOST_ANSWERS] if result else [],
        "is_all": result is not None and len(result.hits) <= MOST_ANSWERS and not result.more,
        "is_asked": result is not None,
    }
    response = TemplateResponse(request, "admin/search_answers.html", words)
    patch_vary_headers(response, ["HX-Request"])
    return response
