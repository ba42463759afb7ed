"""What an owner chooses for the whole company."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from connections.sync.schedule import change_time_zone
from connections.tenancy.settings import time_zone_of
from portal.members.access import MemberRequest, member
from portal.members.contacts import contact_of, possible_contacts, set_contact
from portal.members.forms import TenantSettingsForm
from portal.members.permissions import Action
from portal.rate_limits import limits
from portal.rate_limits.pages import limited


@require_http_methods(["GET", "HEAD", "POST"])
@member(Action.CHANGE_SETTINGS)
@limited(limits.TEAM_CHANGE)
def tenant_settings(request: MemberRequest) -> HttpResponse:
    contacts, contact = possible_contacts(request.tenant.id), contact_of(request.tenant.id)
    initial = {"time_zone": time_zone_of(request.tenant.id), "contact": str(contact or "")}
    form = TenantSettingsForm(request.POST or None, initial=initial, contacts=contacts)
    if request.method == "POST" and form.is_valid():
        zone, chosen = form.cleaned_data["time_zone"], form.cleaned_data["contact"]
        change_time_zone(tenant=request.tenant, time_zone=zone, actor=request.user.actor)
        set_contact(tenant=request.tenant, user_id=int(chosen) if chosen else None, actor=request.user.actor)
        messages.success(request, _("Saved. Syncs at times of day are planned by this zone from now on."))
        return redirect("tenant_settings", request.tenant.slug)
    return render(request, "members/tenant_settings.html", {"form": form})
