"""The one settings file. What differs by place comes from the environment, read and checked in env.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from portal import env

try:
    MODE = env.choice("PORTAL_MODE", env.MODES, "production")
    PROCESS = env.choice("PORTAL_PROCESS", env.PROCESSES, "owner")
    VAR_DIR = Path(env.text("PORTAL_VAR", str(env.BASE_DIR / "var")))
    SECRET_KEY = env.text("PORTAL_SECRET_KEY")
    DATABASES = {"default": env.database("DATABASE_URL")}
    # Without one Celery would take a broker that nobody named. Rung in memory, a doorbell is heard by nobody.
    CELERY_BROKER_URL = env.broker("BROKER_URL") or "memory://"
    SANDBOX_HOSTS = env.sandbox_hosts()
    SMTP = env.smtp()
    TRUSTED_PROXIES = env.number("PORTAL_TRUSTED_PROXIES", 0 if MODE == "demo" else -1)
    # How soon the work of a killed worker goes on: at most a lease and a sweep later.
    JOBS_LEASE_SECONDS = env.number("PORTAL_LEASE_SECONDS", 30, minimum=2)
    JOBS_SWEEP_SECONDS = env.number("PORTAL_SWEEP_SECONDS", 5, minimum=1)
    OWN_NETWORKS = env.networks("PORTAL_OWN_NETWORKS")  # no connection reaches these, whoever allows what
    EGRESS_PROXY = env.proxy("PORTAL_EGRESS_PROXY")  # every connection to a provider goes through it
    METRICS_LISTEN = env.listen("PORTAL_METRICS_LISTEN")  # where Prometheus asks a web process
    REQUEST_LOG_MONTHS = env.number("PORTAL_REQUEST_LOG_MONTHS", 3, minimum=1)
except env.BadEnvironment as problem:
    # 3, as of every start that is refused: servers with worker processes then do not try again.
    sys.stderr.write(f"portal: {problem}\n")
    raise SystemExit(3) from None

BASE_DIR = env.BASE_DIR
DEMO = MODE == "demo"
DEBUG = False

ORIGIN = env.text("PORTAL_ORIGIN", "http://localhost:8000" if DEMO else "")
SECURE = urlsplit(ORIGIN).scheme == "https"
ALLOWED_HOSTS = [host for host in [urlsplit(ORIGIN).hostname, *env.names("PORTAL_HOSTS")] if host]
if DEMO:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [ORIGIN] if ORIGIN else []

# Key files are named here and opened by connections/vault: the KEK by workers, the web keyset by the web, neither by both.
WEB_KEYSET_FILE = os.environ.get("PORTAL_WEB_KEYSET_FILE", "")
KEK_FILE = os.environ.get("PORTAL_KEK_FILE", "")

INSTALLED_APPS = [
    "portal.members",
    "portal.notices",
    "portal.incidents",
    "portal.onboarding",
    "portal.certification",
    "portal.support",
    "portal.operations",
    "portal.rate_limits",
    "connections.exports",
    "connections.calls",
    "connections.sync",
    "connections.transport",
    "connections.vault",
    "connections.jobs",
    "connections.tenancy",
    "portal.operations.admin_config.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.forms",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_htmx",
]
if DEMO:
    INSTALLED_APPS.append("portal.devserver")

MIDDLEWARE = [
    "portal.operations.headers.HeadersMiddleware",
    "portal.operations.access.AccessMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.operations.health.HealthMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.operations.characters.CharactersMiddleware",
    "connections.tenancy.middleware.TransactionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "portal.operations.headers.CrossSiteMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.members.sessions.SessionLimitsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.members.sessions.SessionListMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.members.middleware.PersonMiddleware",
    "portal.members.refusals.RefusalsMiddleware",
    "portal.rate_limits.middleware.RateLimitMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "members.User"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.members.context.place",
            ],
            "libraries": {"lucide": "portal.members.templatetags.icons"},
        },
    }
]

# One field template for every form, from templates/django/forms/.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# The cache holds login limits and TOTP replay marks: shared by every web process, so it is the database. JSON only: what
# one process unpickles, another could have written as a program.
CACHES = {"default": {"BACKEND": "portal.rate_limits.cache.JSONTableCache"}}

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
SHORTEST_PASSWORD = 12
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": SHORTEST_PASSWORD},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

ACCOUNT_ADAPTER = "portal.members.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 5 * 60
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SECURE else "http"
ALLAUTH_TRUSTED_PROXY_COUNT = max(TRUSTED_PROXIES, 0)
# Wrong passwords and codes are counted by ourselves (portal/rate_limits/limits.py: SIGN_IN): allauth's count is one per
# person, so that anybody could shut anybody out. Its other limits stay as they are.
ACCOUNT_RATE_LIMITS = {"login_failed": None}
MFA_FORMS = {
    "authenticate": "portal.members.codes.AuthenticateForm",
    "reauthenticate": "portal.members.codes.ReauthenticateForm",
    "activate_totp": "portal.members.codes.ActivateTOTPForm",
}
MFA_TOTP_TOLERANCE = 1  # half a minute before and after: phones' clocks are not exact
MFA_ADAPTER = "portal.members.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Pilotage"
USERSESSIONS_TRACK_ACTIVITY = True
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "front"

# How long a session lasts without anybody doing something, and at all; a cookie lives as long as the longest.
SESSION_IDLE_SECONDS = {"staff": 30 * 60, "customer": 12 * 3600}
SESSION_AGE_SECONDS = {"staff": 12 * 3600, "customer": 14 * 24 * 3600}
SESSION_COOKIE_AGE = SESSION_AGE_SECONDS["customer"]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.operations.views.csrf_failure"
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^health/"]  # monitoring asks the process itself, behind the proxy that ends TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES > 0 else None
SECURE_HSTS_SECONDS = 366 * 24 * 3600 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
}

LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", _("English")),
]
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = None if DEMO else BASE_DIR / "staticfiles"  # the demo serves files from where they lie
STATICFILES_DIRS = [BASE_DIR / "static", *env.bootstrap_assets()]
WHITENOISE_USE_FINDERS = DEMO
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Mail is a sealed row and a job; only a worker speaks SMTP (or, in the demo, writes to var/mail).
EMAIL_BACKEND = "portal.notices.mail.QueuedBackend"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("PORTAL_MAIL_FROM", "Pilotage <pilotage@localhost>")
DEMO_MAIL_DIR = VAR_DIR / "mail"
# To whom people write for help; every page of somebody who is signed in has the link. '' shows none.
SUPPORT_MAIL = env.text("PORTAL_SUPPORT_MAIL", "support@pilotage.example" if DEMO else "")

# Celery is the doorbell (connections/jobs): a message names a queue or a job, and losing or doubling it is harmless.
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SOFT_TIME_LIMIT = 360  # longer than any provider's call may take (connections/spec: Deadlines)
CELERY_TASK_TIME_LIMIT = 390
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 15
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # who can write to the broker rings doorbells and commands nobody
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # for ever: a broker that is gone for an hour is no reason to end
# READONLY, UNBLOCKED and MASTERDOWN of a broker that fails over are answers, not lost connections: connect anew all the
# same, else a worker ends with "Unrecoverable error".
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 420,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "health_check_interval": 25,
    "priority_steps": [0],  # one list for each queue: nothing of ours has a priority within its queue
}
CELERY_TASK_DEFAULT_QUEUE = "interactive"
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "jobs.sweep",
        "schedule": float(JOBS_SWEEP_SECONDS),
        "options": {"queue": "interactive", "expires": JOBS_SWEEP_SECONDS},
    },
}
SILENCED_SYSTEM_CHECKS = ["account.W001"]

# Reports of errors tell where, never with what; their mails go to these people, if there are any.
ADMINS = [("", address) for address in env.names("PORTAL_ADMINS")]
DEFAULT_EXCEPTION_REPORTER = "portal.operations.reports.Report"
DEFAULT_EXCEPTION_REPORTER_FILTER = "portal.operations.reports.ReportFilter"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"redacting": {"()": "connections.transport.log.redaction.RedactingFilter"}},
    "formatters": {"line": {"()": "portal.operations.reports.JSONLineFormatter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["redacting"]},
        "admins": {"class": "portal.operations.reports.AdminMail", "level": "ERROR", "filters": ["redacting"]},
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # These print tokens, bodies or full URLs at DEBUG; they never go below WARNING.
        **{
            name: {"level": "WARNING"}
            for name in ("requests_oauthlib", "oauthlib", "requests", "kombu", "django.db.backends")
        },
        "waitress": {"level": "WARNING"},
        "waitress.queue": {"level": "ERROR"},  # a line for every request that waits
        "urllib3": {"level": "ERROR"},  # warns with the full URL about headers that it cannot parse
        "django": {"handlers": ["admins"], "level": "INFO"},
        "django.request": {"level": "ERROR"},
        "celery": {"level": "INFO"},
        "multiprocessing": {"level": "WARNING"},  # the pool's
        # A line per ring of the doorbell says nothing: the job's row does.
        **{name: {"level": "WARNING"} for name in ("celery.beat", "celery.worker.strategy", "celery.app.trace")},
    },
}
