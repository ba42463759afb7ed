"""Start-up checks of the settings and the environment: the keys this process must have, and what production forbids."""

from __future__ import annotations

import ipaddress
import logging
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from connections.vault.keys import KeyUnavailable, kek, web_class

MIN_SECRET_KEY_CHARACTERS = 50
CACHE = "portal.rate_limits.cache.JSONTableCache"
OAUTH_FLAGS = ("OAUTHLIB_INSECURE_TRANSPORT", "OAUTHLIB_RELAX_TOKEN_SCOPE")
COMMANDS = ("owner", "backup")  # processes of manage.py, which serve nobody
CELERY_VARIABLES = (
    "CELERY_BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_RESULT_BACKEND",
    "CELERY_CONFIG_MODULE",
    "CELERY_LOADER",
)
VERBOSE_LOGGERS = ("requests_oauthlib", "oauthlib", "requests", "urllib3", "celery", "kombu", "django.db.backends")
_BELOW_VERBOSE_LOGGERS = tuple(f"{name}." for name in VERBOSE_LOGGERS)

Messages = list[CheckMessage]


@register()
def secret_key(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> Messages:
    try:
        long_enough = len(settings.SECRET_KEY) >= MIN_SECRET_KEY_CHARACTERS
    except ImproperlyConfigured:  # Django's word for an empty one
        long_enough = False
    if long_enough or settings.PROCESS in COMMANDS:
        return []
    return [
        Error(
            f"The secret key is missing or shorter than {MIN_SECRET_KEY_CHARACTERS} characters.",
            hint="Set PORTAL_SECRET_KEY_FILE to a file that holds a long random text.",
            id="portal.E007",
        )
    ]


@register()
def key_files(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> Messages:
    """Each process has the keys of its own class and no others (docs/security.md, Keys)."""
    if settings.PROCESS == "worker":
        return [*_opens(kek, "portal.E008"), *_not_allowed_here("WEB_KEYSET_FILE", "portal.E011")]
    if settings.PROCESS == "web":
        return [*_opens(web_class, "portal.E010"), *_not_allowed_here("KEK_FILE", "portal.E009")]
    if settings.PROCESS in ("beat", "backup"):
        return [*_not_allowed_here("KEK_FILE", "portal.E009"), *_not_allowed_here("WEB_KEYSET_FILE", "portal.E011")]
    return []


def _opens(key: Any, code: str) -> Messages:
    try:
        key()
    except KeyUnavailable as missing:
        return [
            Error(
                f"This {settings.PROCESS} process lacks its key: {missing}.",
                hint="Name the Tink AEAD keyset that was made for this installation; a new one opens nothing.",
                id=code,
            )
        ]
    return []


def _not_allowed_here(setting: str, code: str) -> Messages:
    if not getattr(settings, setting):
        return []
    return [
        Error(
            f"PORTAL_{setting} is set, but a {settings.PROCESS} process must not be able to read that key.",
            hint=f"Remove PORTAL_{setting} from this process's environment and close the file to its user.",
            id=code,
        )
    ]


@register()
def oauth_flags(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> Messages:
    """oauthlib reads these for the whole process: one lets tokens travel in the clear, the other hides narrowed scopes."""
    return [
        Error(f"{flag} is set.", hint=f"Remove {flag} from the environment.", id="portal.E026")
        for flag in OAUTH_FLAGS
        if os.environ.get(flag)
    ]


@register()
def broker(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> Messages:
    """Celery takes a broker from wherever one is named, and one on this machine where none is."""
    own_broker = settings.CELERY_BROKER_URL
    # Celery's command line puts BROKER_URL there by itself.
    other_variables = [name for name in CELERY_VARIABLES if os.environ.get(name, own_broker) != own_broker]
    messages: Messages = [
        Error(
            f"{name} says something else than our settings, and Celery would obey it first.",
            hint=f"Remove {name} from the environment; BROKER_URL_FILE or BROKER_URL names the broker, and one of them only.",
            id="portal.E030",
        )
        for name in other_variables
    ]
    if own_broker.startswith("memory:") and settings.PROCESS not in COMMANDS:
        messages.append(
            Error(
                f"BROKER_URL is missing, so nobody would hear this {settings.PROCESS} process.",
                hint="Name the Valkey or Redis of this installation: redis://host:6379/0, or a file by BROKER_URL_FILE.",
                id="portal.E017",
            )
        )
    return messages


@register(deploy=True)
def verbose_loggers(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> Messages:
    """At DEBUG these write tokens, bodies, whole addresses or the parameters of statements (SECURITY LOG-5)."""
    if settings.DEMO:
        return []
    names = [
        *VERBOSE_LOGGERS,
        *(name for name in logging.root.manager.loggerDict if name.startswith(_BELOW_VERBOSE_LOGGERS)),
    ]
    return [
        Error(
            f"The logger {name} is at DEBUG, where it writes secrets.",
            hint="Set it to INFO or higher, whatever else you look for.",
            id="portal.E028",
        )
        for name in names
        if logging.getLogger(name).getEffectiveLevel() < logging.INFO
    ]


@register(deploy=True)
def production(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> Messages:
    """What a demo may do and production may not."""
    if settings.DEMO:
        return []
    messages: Messages = []
    if settings.DEBUG:
        messages.append(Error("Debug pages are on.", hint="Set DEBUG to False.", id="portal.E020"))
    if urlsplit(settings.ORIGIN).scheme != "https":
        messages.append(
            Error(
                "PORTAL_ORIGIN is not an https address.",
                hint="Set it to what people type, such as https://portal.example.com",
                id="portal.E022",
            )
        )
    if not settings.ALLOWED_HOSTS or any(host.startswith((".", "*")) for host in settings.ALLOWED_HOSTS):
        messages.append(
            Error(
                "The allowed hosts are empty or hold a wildcard.",
                hint="Name each host in full: PORTAL_ORIGIN gives one, PORTAL_HOSTS adds others.",
                id="portal.E021",
            )
        )
    if settings.TRUSTED_PROXIES < 0:
        messages.append(
            Error(
                "PORTAL_TRUSTED_PROXIES is not set, so limits per address could be fooled.",
                hint="Set it to the number of proxies in front of the web process; 0 when there is none.",
                id="portal.E023",
            )
        )
    if {cache["BACKEND"] for cache in settings.CACHES.values()} != {CACHE}:
        messages.append(
            Error(
                "The cache is not the portal's own, so login limits and TOTP replay marks may be lost or be programs.",
                hint=f"Use {CACHE}, as settings.py does.",
                id="portal.E024",
            )
        )
    if settings.SANDBOX_HOSTS:
        messages.append(
            Error(
                "PORTAL_SANDBOX_HOSTS is set: people could open connections to stand-ins over loopback or plain HTTP.",
                hint="Remove it; an installation to try things out on has PORTAL_MODE=demo.",
                id="portal.E027",
            )
        )
    if settings.METRICS_LISTEN is not None and _is_public(settings.METRICS_LISTEN[0]):
        messages.append(
            Warning(
                "PORTAL_METRICS_LISTEN is an address that everybody may reach, and whoever reaches it may read the metrics.",
                hint="Name an address of this machine or of your own network, such as 127.0.0.1:9464, or wall it off.",
                id="portal.W032",
            )
        )
    if settings.PROCESS == "worker" and not settings.OWN_NETWORKS:
        messages.append(
            Warning(
                "PORTAL_OWN_NETWORKS is empty: where an admin allows a connection private networks, ours are among them.",
                hint="Name the networks that this installation itself stands in.",
                id="portal.W031",
            )
        )
    return messages


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.is_unspecified or parsed.is_global


def collected_files(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> Messages:
    """Every page names files by what `collectstatic` noted of them. Asked at a start alone: a check may come before it."""
    if settings.DEMO or settings.PROCESS != "web":
        return []
    noted = getattr(staticfiles_storage, "hashed_files", {})
    # As collectstatic names them: those of a folder with a prefix, such as Bootstrap's, are found without it.
    sources = [
        f"{prefix}/{path}" if (prefix := getattr(storage, "prefix", None)) else path
        for finder in get_finders()
        for path, storage in finder.list([])
    ]
    missing = [path for path in sources if path not in noted or not staticfiles_storage.exists(noted[path])]
    if not missing:
        return []
    return [
        Error(
            f"{len(missing)} static files are not collected, {missing[0]} among them.",
            hint="Run `manage.py collectstatic` with this version of the portal, then start again.",
            id="portal.E029",
        )
    ]
