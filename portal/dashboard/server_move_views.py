"""The pages by which an owner moves a connection to another server: the new addresses, then old and new side by side."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from connections.vault.models import Connection
from connections.vault.services import ActionRefused
from portal.members.access import MemberRequest, member
from portal.members.permissions import Action
from portal.members.shortcuts import get_own_or_404
from portal.members.stepup import ask_again, recently_proved
from portal.onboarding import server_move
from portal.onboarding.credentials import address_fields
from portal.onboarding.forms import FieldsForm
from portal.onboarding.marks import provider_of
from portal.rate_limits import limits
from portal.rate_limits.pages import limited


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@member(Action.MOVE_SERVER)
@limited(limits.SERVER_MOVE)
def move_server(request: MemberRequest, connection_id: UUID) -> HttpResponse:
    """Nothing changes before old and new have been shown and confirmed."""
    connection = get_own_or_404(request, Connection, id=connection_id)
    if not server_move.can_move(connection):
        raise Http404
    fields = address_fields(connection)
    form = FieldsForm(request.POST or None, fields=fields, settings=connection.settings, stored=())
    context: dict[str, Any] = {
        "connection": connection,
        "provider": provider_of(connection),
        "form": form,
        "changes": [],
    }
    if request.method == "POST":
        if not recently_proved(request):
            return ask_again(request, reverse("move_server", args=[request.tenant.slug, connection.id]))
        if form.is_valid():
            try:
                changes = server_move.changes(connection=connection, values=form.cleaned_data)
                if "confirmed" in request.POST:
                    server_move.move(connection=connection, values=form.cleaned_data, actor=request.user.actor)
                    messages.success(
                        request,
                        _("The server is changed. What was stored for the old one is destroyed: go on below."),
                    )
                    return redirect("checklist", request.tenant.slug, connection.id)
            except ValidationError as error:
                form.add_error(None, error)
            except ActionRefused as refused:
                form.add_error(None, str(refused))
            else:
                context["changes"] = changes
                if not changes:
                    form.add_error(None, _("There is no other address in it, so nothing was changed."))
    return render(request, "dashboard/move_server.html", context)
