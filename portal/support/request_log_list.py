"""The request log as a list: with bars above it, and the views of it that a person keeps."""

from __future__ import annotations

from typing import cast
from urllib.parse import parse_qsl, urlencode

from django.contrib import messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.members.models import User
from portal.members.permissions import StaffAction
from portal.support.admin_actions import NotAPost
from portal.support.models import SavedView
from portal.support.read_only_admin import FOLLOWS, POSITIONS, PagedByPosition
from portal.support.request_bars import bars_of
from portal.support.request_filters import FILTERS
from portal.support.time_parameters import SINCE, SPANS, UNTIL

MOST_VIEWS = 30  # of one person
LIST = "admin:transport_requestlogentry_changelist"
FIXED = "fixed"  # the times of a kept view are those of now


class RequestLogList(PagedByPosition):
    """`is_followed`: the page asks for what is new by itself, until that is paused."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.bars = bars_of(self, request)
        self.is_followed = bool(request.GET.get(FOLLOWS))
        self.follow_link = self.get_query_string({FOLLOWS: "1"}, [UNTIL])
        self.pause_link = self.get_query_string()
        self.saved_views = list(SavedView.objects.filter(user=cast(User, request.user))[:MOST_VIEWS])
        self.may_export = cast(User, request.user).can(StaffAction.EXPORT_LOG)
        self.filters_in_address = urlencode(sorted(self.params.items()))


def view_names() -> set[str]:
    """What an address of the list may hold and a view may keep."""
    names = {str(each.parameter_name) for each in FILTERS}
    return {*names, UNTIL, SEARCH_VAR} - set(POSITIONS)


def save_view(request: HttpRequest) -> HttpResponse:
    """Keeps the filters of an address under a name; one of that name is replaced. Raises NotAPost."""
    if request.method != "POST":
        raise NotAPost
    name = request.POST.get("name", "").strip()
    query = {key: value for key, value in parse_qsl(request.POST.get("query", "")) if key in view_names() and value}
    span = request.POST.get("span", "")
    if span != FIXED:
        query = {key: value for key, value in query.items() if key not in (SINCE, UNTIL)}
    if span in SPANS:
        query[SINCE] = span
    longest = SavedView._meta.get_field("name").max_length or 0
    own_views = SavedView.objects.filter(user=cast(User, request.user))
    if not name or len(name) > longest:
        messages.error(request, _("Give the view a name of at most %(longest)d characters.") % {"longest": longest})
    elif own_views.exclude(name=name).count() >= MOST_VIEWS:
        messages.error(request, _("You keep %(most)d views already. Remove one first.") % {"most": MOST_VIEWS})
    else:
        view = SavedView(user=cast(User, request.user), name=name, query=urlencode(query))
        SavedView.objects.bulk_create(
            [view], update_conflicts=True, unique_fields=["user", "name"], update_fields=["query"]
        )
        messages.success(request, _("The view “%(name)s” is kept. It stands above the list.") % {"name": name})
    return redirect(f"{reverse(LIST)}?{urlencode(query)}")


def forget_view(request: HttpRequest, view_id: int) -> HttpResponse:
    """Removes one of the person's own views; any other is not there. Raises NotAPost, Http404."""
    if request.method != "POST":
        raise NotAPost
    deleted, _by_model = SavedView.objects.filter(user=cast(User, request.user), pk=view_id).delete()
    if not deleted:
        raise Http404
    messages.success(request, _("The view is removed."))
    return redirect(reverse(LIST))
