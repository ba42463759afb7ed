"""The demo's mails, for whoever tries the demo; in production these addresses do not exist."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from portal.notices.outbox import SentMail, sent_mails


@require_GET
@never_cache
def demo_mails(request: HttpRequest) -> HttpResponse:
    return render(request, "notices/demo_mails.html", {"mails": _mails()})


@require_GET
@never_cache
def demo_mail(request: HttpRequest, key: str) -> HttpResponse:
    mail = next((mail for mail in _mails() if mail.key == key), None)
    if mail is None:
        raise Http404
    return render(request, "notices/demo_mail.html", {"mail": mail})


def _mails() -> list[SentMail]:
    if not settings.DEMO:
        raise Http404
    return sent_mails(Path(settings.DEMO_MAIL_DIR))
