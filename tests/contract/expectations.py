"""What a provider may turn out to be that we cannot cope with: which position of a switch breaks what, and how it is named.

Everything that is not listed here must work. The word is the code of the fault that staff then see, or the word that a
login ended with.
"""

from __future__ import annotations

from collections.abc import Mapping

BREAKS: Mapping[str, Mapping[tuple[str, str], str]] = {
    "pentamic": {
        ("xml", "off"): "unreadable",  # for whoever chose XML
        ("trailing_slash", "added"): "redirected",
        ("service", "maintenance"): "provider-trouble",
        ("service", "broken"): "provider-trouble",
    },
    "simutek": {("list_path", "customers"): "not-found"},
    "smartbusiness": {
        ("refresh_scope", "required"): "scope-refused",
        ("pkce", "refused"): "other-answer",
        ("maintenance", "on"): "maintenance",
    },
}
