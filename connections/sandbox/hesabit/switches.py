"""What Hesabit's document leaves open, as one table of switches; shown on the simulator's Switches page."""

from __future__ import annotations

from connections.sandbox.kit import Choice, Switch
from connections.sandbox.kit.switches import ON_OFF

CONSENT = (
    Switch(
        "state",
        "The redirect brings state back",
        ON_OFF,
        "on",
        "unknown",
        "The document does not mention state; OAuth 2.0 asks for it.",
    ),
    Switch(
        "denied_consent",
        "A person who denies",
        (Choice("told", "goes back with error=access_denied"), Choice("bare", "goes back without anything")),
        "told",
        "unknown",
        "Denial is not described; OAuth 2.0 has access_denied.",
    ),
    Switch(
        "unknown_parameters",
        "Authorization and token requests with parameters that the document does not show (PKCE, for one)",
        (Choice("ignored", "the parameters are ignored"), Choice("refused", "invalid_request")),
        "ignored",
        "unknown",
        "PKCE is not mentioned. `state` is never refused.",
    ),
    Switch(
        "second_consent",
        "Approving the same client once more",
        (Choice("added", "earlier tokens live on"), Choice("replaces", "ends earlier tokens of that client and shop")),
        "added",
        "unknown",
        "Nothing public about the effect of a second authorisation.",
    ),
    Switch(
        "revocation_ends_access",
        "Revoking an application, or removing its client, ends its access tokens too",
        ON_OFF,
        "on",
        "unknown",
        "Nothing public; off means that an access token works until its ten hours are over.",
    ),
)

TOKENS = (
    Switch(
        "token_body",
        "Body of a token request",
        (Choice("json", "JSON only; a form answers 400"), Choice("both", "JSON or a form")),
        "json",
        "documented",
        "The document shows JSON; an abandoned client posted a form, with what success is not known.",
    ),
    Switch(
        "token_error_body",
        "A refused token request",
        (
            Choice("oauth", '400 or 401 with {"error","error_description"}'),
            Choice("message", '400 or 401 with {"message"}'),
            Choice("in_200", '200 with {"error","error_description"}'),
        ),
        "oauth",
        "inferred",
        "Not described; this is what OAuth 2.0 says.",
    ),
    Switch(
        "expires_in",
        "expires_in in the token answer",
        (Choice("number", "36000"), Choice("text", '"36000"'), Choice("missing", "is missing")),
        "number",
        "documented",
        "The samples show the number 36000.",
    ),
    Switch(
        "refresh_answer",
        "Refresh token in the answer to a refresh",
        (
            Choice("none", "none: the old one works on"),
            Choice("repeated", "the old one, which works on"),
            Choice("rotated", "a new one; the old one has ended"),
        ),
        "none",
        "documented",
        "The sample shows none; whether one ever comes is not stated.",
    ),
    Switch(
        "refresh_ends_access",
        "A refresh ends the access tokens issued before",
        ON_OFF,
        "off",
        "unknown",
        "Not stated.",
    ),
)

CALLS = (
    Switch(
        "header_token",
        "The access token is also taken from Authorization: Bearer",
        ON_OFF,
        "off",
        "unknown",
        "The document shows the query string alone, though the type is Bearer.",
    ),
    Switch(
        "trailing_slash",
        "Slash at the end of a path",
        (
            Choice("both", "with and without are the same"),
            Choice("added", "without it, a redirect to the form with it, which repeats the query"),
            Choice("removed", "with it, a redirect to the form without it, which repeats the query"),
        ),
        "both",
        "inferred",
        "The document shows /invoices/ in one place and /invoices in another.",
    ),
    Switch(
        "content_type",
        "Content-Type: application/json is asked of",
        (Choice("bodies", "requests with a body"), Choice("all", "every request, a GET as well")),
        "bodies",
        "inferred",
        "The document says that requests must have it, and tells no exception for those without a body.",
    ),
    Switch(
        "over_budget",
        "The 20,001st request of a day",
        (
            Choice("429", "429"),
            Choice("429_retry_after", "429 with Retry-After until midnight in Tehran"),
            Choice("403", "403"),
        ),
        "429",
        "inferred",
        "The limit is documented, the answer beyond it and the hour at which a day ends are not.",
    ),
)

ERRORS = (
    Switch(
        "error_body",
        "Body of a refused call",
        (
            Choice("full", '{"error","message","errors"}'),
            Choice("message", '{"message"}'),
            Choice("empty", "empty"),
        ),
        "full",
        "inferred",
        "Nothing is documented about errors.",
    ),
    Switch(
        "invalid_status",
        "Status when fields or parameters are wrong",
        (Choice("400", "400"), Choice("422", "422")),
        "400",
        "inferred",
        "Nothing is documented about errors.",
    ),
    Switch(
        "errors_in_200",
        'Refused calls answer 200 with an "error" key',
        ON_OFF,
        "off",
        "unknown",
        "Nothing is documented about errors; older services do it.",
    ),
)

LISTS = (
    Switch(
        "envelope",
        "A list is",
        (
            Choice("array", "a bare array"),
            Choice("data", '{"data": [...]}'),
            Choice("items", '{"items": [...]}'),
            Choice("results", '{"results": [...]}'),
            Choice("resource", '{"invoices": [...]}, named after the resource'),
        ),
        "array",
        "inferred",
        "No list answer is shown.",
    ),
    Switch(
        "paging",
        "Paging",
        (Choice("page", "limit and page, from 1"), Choice("limit", "limit alone: page is ignored, the list is cut")),
        "page",
        "inferred",
        "Only limit is documented.",
    ),
    Switch(
        "large_limit",
        "A limit over 100",
        (Choice("refused", "is refused"), Choice("capped", "gives 100")),
        "refused",
        "inferred",
        "Neither the default nor the maximum of limit is documented.",
    ),
    Switch(
        "order",
        "Order of lists",
        (Choice("newest", "the newest first"), Choice("oldest", "the oldest first")),
        "newest",
        "unknown",
        "Not documented.",
    ),
    Switch(
        "unknown_status",
        "Invoices of a status that does not exist",
        (Choice("refused", "are refused"), Choice("empty", "are an empty list")),
        "refused",
        "unknown",
        "Only paid is documented.",
    ),
)

RECORDS = (
    Switch(
        "record_envelope",
        "One record is",
        (Choice("bare", "the bare object"), Choice("data", '{"data": {...}}')),
        "bare",
        "inferred",
        "No answer with a record is shown.",
    ),
    Switch(
        "created_status",
        "Status when something was created",
        (Choice("200", "200 OK"), Choice("201", "201 Created")),
        "200",
        "observed",
        "An abandoned client took anything but 200 for a failure.",
    ),
    Switch(
        "created_answer",
        "Creating answers",
        (Choice("record", "the whole record"), Choice("id", "its id alone")),
        "record",
        "inferred",
        "No answer to a creation is shown.",
    ),
    Switch(
        "edit",
        "PUT",
        (Choice("merges", "changes the fields that are sent"), Choice("replaces", "empties fields that are not sent")),
        "merges",
        "unknown",
        "Editing is promised but not described.",
    ),
    Switch(
        "deleted_answer",
        "Deleting answers",
        (Choice("200", '200 with {"success": true}'), Choice("204", "204 without a body")),
        "200",
        "unknown",
        "Deleting is promised but not described.",
    ),
    Switch(
        "invoice_needs",
        "A new invoice needs",
        (Choice("customer_and_rows", "customer_id and at least one row"), Choice("nothing", "nothing")),
        "customer_and_rows",
        "inferred",
        "The stored document breaks off before the customer and the rows.",
    ),
    Switch(
        "same_number",
        "A second invoice with the same number",
        (Choice("accepted", "is accepted"), Choice("refused", "is refused")),
        "accepted",
        "unknown",
        "Not documented.",
    ),
    Switch(
        "item_price",
        "The price of an item is",
        (Choice("number", "a whole number"), Choice("persian", "a text with Persian digits")),
        "number",
        "inferred",
        "No field of an item is public; texts of the product use Persian digits.",
    ),
    Switch(
        "numbers",
        "Whole numbers in records, ids too, are",
        (Choice("number", "numbers"), Choice("text", "texts")),
        "number",
        "inferred",
        "The create calls type them as Integer; no answer is shown.",
    ),
    Switch(
        "extras",
        "Records carry fields and statuses nobody knows",
        ON_OFF,
        "off",
        "unknown",
        "No answer is shown, and a version 1 may grow.",
    ),
)

SWITCHES = (*CONSENT, *TOKENS, *CALLS, *ERRORS, *LISTS, *RECORDS)
