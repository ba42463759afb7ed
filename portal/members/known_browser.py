"""A browser that a person has signed in with before stays a way in while somebody else guesses at their password.

The browser keeps a signed list of people and of a random number per person. It opens nothing by itself: tries from it are
counted apart from everybody else's, for this person only, and only as long as the password is the one it was made with.
"""

from __future__ import annotations

import secrets

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from portal.members.models import User

COOKIE = "__Host-known" if settings.SECURE else "known"
SALT = "portal.members.known_browser"
KEPT_SECONDS = 366 * 24 * 3600
MOST_PEOPLE = 5  # of one browser, the latest


def remember(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """This person has signed in here, with every factor they have."""
    person = key_of(user)
    others = {key: number for key, number in _people(request).items() if key != person}
    number = _people(request).get(person) or secrets.token_urlsafe(16)
    latest = dict([*others.items(), (person, number)][-MOST_PEOPLE:])
    response.set_cookie(
        COOKIE,
        signing.dumps(latest, salt=SALT),
        max_age=KEPT_SECONDS,
        secure=settings.SECURE,
        httponly=True,
        samesite="Lax",
    )


def keys(request: HttpRequest) -> list[str]:
    """Of everybody who has signed in here before, as `key_of` names them."""
    return list(_people(request))


def number_for(request: HttpRequest, user: User) -> str:
    """The browser's number for this person; "" where it is not known for them."""
    return _people(request).get(key_of(user), "")


def number_of(request: HttpRequest, login: str) -> str:
    """The same for the person who signs in with this address.

    Asks the database only for a browser that is known for somebody, and then whether the address exists or not.
    """
    if not _people(request):
        return ""
    address = EmailAddress.objects.filter(email=login, verified=True).select_related("user").first()
    return number_for(request, address.user) if address else ""


def _people(request: HttpRequest) -> dict[str, str]:
    try:
        people = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=KEPT_SECONDS)
    except signing.BadSignature:
        return {}
    return people if isinstance(people, dict) else {}


def key_of(user: User) -> str:
    """Says nothing about who it is, and changes with the password."""
    return salted_hmac(SALT, f"{user.pk} {user.password}", algorithm="sha256").hexdigest()[:32]
