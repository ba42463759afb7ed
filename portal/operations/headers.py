"""Headers that every answer has, and the refusal of what another site sends in a person's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.shortcuts import render

RESOURCE_POLICY = "same-origin"
# What a page of ours never asks a browser for; copying to the clipboard is the one thing that static/js does.
UNUSED_BROWSER_FEATURES = (
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation", "gyroscope",
    "hid", "idle-detection", "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "screen-wake-lock",
    "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip
PERMISSIONS_POLICY = ", ".join([*(f"{name}=()" for name in UNUSED_BROWSER_FEATURES), "clipboard-write=(self)"])

READING = ("GET", "HEAD", "OPTIONS", "TRACE")
OWN_SITE = ("same-origin", "none")  # none: typed, or opened from a bookmark


def harden(response: HttpResponseBase) -> None:
    response.headers.setdefault("Cross-Origin-Resource-Policy", RESOURCE_POLICY)
    response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)


class HeadersMiddleware:
    """The outermost: files, health and errors pass it, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        harden(response)
        return response


def with_every_header(environ: dict[str, Any], response: HttpResponse) -> HttpResponse:
    """The same for an answer that is made where no middleware runs. Reads nothing of the request but how it came."""
    request = HttpRequest()
    request.META = {
        name: value for name, value in environ.items() if name in ("HTTP_X_FORWARDED_PROTO", "wsgi.url_scheme")
    }
    for middleware in (CSPMiddleware, SecurityMiddleware):
        middleware(lambda _: response).process_response(request, response)
    harden(response)
    return response


class CrossSiteMiddleware:
    """Browsers say where a request comes from: what changes something is taken from our own pages alone.

    Providers send people back by GET. A client that says nothing is judged by its CSRF token alone.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        site = request.headers.get("Sec-Fetch-Site", "none")
        if request.method in READING or site in OWN_SITE:
            return None
        return render(request, "403_cross_site.html", status=403)
