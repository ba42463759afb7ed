"""What a provider may turn out to be that we cannot cope with: which position of a switch breaks what, and how it is named.

By way (`<provider>-<grant>[-by-<login>][-<form>]`), then by switch and position. Everything that is not listed here must
work. The word is the code of the fault that staff then see, or the word that a login ended with.
"""

from __future__ import annotations

from collections.abc import Mapping

Breaks = Mapping[tuple[str, str], str]

PENTAMIC = {
    ("trailing_slash", "added"): "redirected",
    ("service", "maintenance"): "provider-trouble",
    ("service", "broken"): "provider-trouble",
}
BREAKS: Mapping[str, Breaks] = {
    "hesabit-consent": {
        ("trailing_slash", "added"): "redirected",
        ("unknown_parameters", "refused"): "invalid_request",  # our PKCE challenge is one
    },
    "pentamic-client-credentials": PENTAMIC,
    "pentamic-client-credentials-xml": {**PENTAMIC, ("xml", "off"): "unreadable"},
    "simutek-client-credentials": {("list_path", "customers"): "list-moved"},
    "smartbusiness-consent": {
        ("maintenance", "on"): "not-traded",
        ("pkce", "refused"): "invalid_request",
    },
    "smartbusiness-own-client": {("maintenance", "on"): "maintenance"},
}
