"""What Procountor's document leaves open, as one table of switches; shown on the simulator's Switches page."""

from __future__ import annotations

from connections.sandbox.kit import Choice, Switch
from connections.sandbox.kit.switches import ON_OFF

SWITCHES = (
    Switch(
        "token_error_body",
        "Body of a refused token request",
        (Choice("errors", '{"errors":[{"status","message"}]}'), Choice("oauth", '{"error","error_description"}')),
        "errors",
        "observed",
        "Both shapes were seen in published clients; the document shows neither.",
    ),
    Switch(
        "token_type",
        'Token answer says "token_type": "Bearer"',
        ON_OFF,
        "off",
        "documented",
        "The document shows access_token and expires_in only; OAuth 2.0 asks for token_type.",
    ),
    Switch(
        "redirect_uri_required",
        "Token request must carry the redirect URI",
        ON_OFF,
        "off",
        "observed",
        "The document lists it; current clients leave it out and succeed. When sent it must match.",
    ),
    Switch(
        "usage_not_allowed",
        "Token request while invoiceable API clients are not allowed",
        (
            Choice("403", "403 with INVOICEABLE_API_CLIENTS_NOT_ALLOWED"),
            Choice("401", "401 that looks like a wrong key"),
        ),
        "403",
        "inferred",
        "The setting is documented, the answer without it is not.",
    ),
    Switch(
        "usage_stops_calls",
        "Turning the usage setting off also stops tokens already issued",
        ON_OFF,
        "off",
        "unknown",
        "Nothing public; off means that it is judged when a token is asked for.",
    ),
    Switch(
        "revoked_key_kills_tokens",
        "Revoking an API key kills the tokens issued from it",
        ON_OFF,
        "on",
        "inferred",
        "Documented for password change, logout and removal; for a revoked key only that no new token comes.",
    ),
    Switch(
        "missing_right",
        "A list the user has no right to",
        (Choice("403", "403 with an errors body"), Choice("empty", "200 with an empty list")),
        "403",
        "documented",
        "403 is in the specification; an integrator reports empty lists.",
    ),
    Switch(
        "over_the_rate",
        "More than 60 requests in a second for one company",
        (Choice("served", "served, but counted"), Choice("429", "429 without rate headers")),
        "served",
        "unknown",
        "The limit is documented, the answer beyond it is not; a breach may suspend the client.",
    ),
    Switch(
        "total_count",
        "Lists tell totalCount",
        ON_OFF,
        "on",
        "documented",
        "In the specification; one aggregator says that totals are not exposed.",
    ),
    Switch(
        "version_bounds",
        "versionStartDate and versionEndDate",
        (Choice("inclusive", "include their own instant"), Choice("exclusive", "exclude their own instant")),
        "inclusive",
        "unknown",
        "Nothing public about the bounds.",
    ),
    Switch(
        "solo_login_block",
        "user.blockSoloLoginToProcountor in the rights",
        (Choice("never", "always false"), Choice("m2m_only", 'true when "Allow only M2M login to API" is in use')),
        "never",
        "unknown",
        "The name may mean M2M only, or something else: nothing proves it.",
    ),
    Switch(
        "request_id_header",
        "Answers carry an X-Request-Id header",
        ON_OFF,
        "off",
        "inferred",
        "No request id is documented; support asks for client id, path, time, company and user id.",
    ),
)
