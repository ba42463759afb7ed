"""Where a person chooses what they are mailed, tenant by tenant, and where a mail's own link ends mails like it."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from portal.incidents import subscriptions, unsubscribing
from portal.incidents.forms import MailChoiceForm, initial_of
from portal.incidents.kinds import MailKind
from portal.incidents.recipients import choice_of
from portal.members.access import MemberRequest, member, signed_in
from portal.members.memberships import memberships_of
from portal.members.models import User
from portal.members.permissions import Action
from portal.rate_limits import limits
from portal.rate_limits.pages import limited


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
@limited(limits.PROFILE)
def mail_choices(request: HttpRequest) -> HttpResponse:
    """Leads to the page of each tenant; our own people subscribe to outages here."""
    user = cast(User, request.user)
    if request.method == "POST" and user.is_staff:
        if request.POST.get("staff") == "on":
            subscriptions.subscribe(user)
            messages.success(request, _("You are mailed about outages, and about what is ours to mend."))
        else:
            subscriptions.end(user.pk)
            messages.success(request, _("You are not mailed about outages any more."))
        return redirect("mail_choices")
    values = {"memberships": memberships_of(user), "is_subscribed": subscriptions.is_subscribed(user)}
    return render(request, "incidents/mail_choices.html", values)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@member(Action.VIEW)
@limited(limits.PROFILE)
def mail_choice(request: MemberRequest) -> HttpResponse:
    choice = choice_of(request.tenant.id, request.user.pk)
    form = MailChoiceForm(request.POST or None, initial=initial_of(choice))
    if request.method == "POST" and form.is_valid():
        unsubscribing.save_choice(choice, **form.choices_made())
        messages.success(request, _("Saved. It holds for what happens from now on."))
        return redirect("mail_choice", request.tenant.slug)
    return render(request, "incidents/mail_choice.html", {"form": form})


# Mail programs send the button's POST themselves (RFC 8058), without a cookie or a page of ours: the signed link is the
# whole of it, and all that it does is to end these mails.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@limited(limits.UNSUBSCRIPTION)
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    link = unsubscribing.read(token)
    if link is None:
        return render(request, "incidents/unsubscribe.html", {"is_void": True}, status=404)
    if request.method == "POST":
        unsubscribing.unsubscribe(link)
    labels = [MailKind(kind).label for kind in link.kinds if kind in MailKind.values]
    return render(
        request, "incidents/unsubscribe.html", {"labels": labels, "is_done": request.method == "POST", "token": token}
    )
