"""What Simutek's document leaves open, as one table of switches; shown on the simulator's Switches page."""

from __future__ import annotations

from connections.sandbox.kit import Choice, Switch
from connections.sandbox.kit.switches import ON_OFF

_IDENTITY_SERVER = "The address /connect/token is the convention of IdentityServer, and this is what that answers."

TOKEN_SWITCHES = (
    Switch(
        "expires_in",
        "Token answer says expires_in",
        (Choice("number", "as a number"), Choice("text", "as text"), Choice("missing", "not at all")),
        "number",
        "inferred",
        _IDENTITY_SERVER,
    ),
    Switch("token_type", 'Token answer says "token_type": "Bearer"', ON_OFF, "on", "inferred", _IDENTITY_SERVER),
    Switch("token_scope", "Token answer says scope", ON_OFF, "on", "inferred", _IDENTITY_SERVER),
    Switch(
        "token_lifetime",
        "How long an access token lives",
        (Choice("3600", "an hour"), Choice("300", "five minutes")),
        "3600",
        "unknown",
        "Nothing public; an hour is the usual default.",
    ),
    Switch(
        "token_error_body",
        "Body of a refused token request",
        (Choice("json", '{"error"}'), Choice("text", "plain text"), Choice("empty", "nothing")),
        "json",
        "inferred",
        "The samples print whatever comes as text. " + _IDENTITY_SERVER,
    ),
    Switch(
        "invalid_client_status",
        "Status of a token request with a wrong client id or secret",
        (Choice("400", "400"), Choice("401", "401")),
        "400",
        "inferred",
        "The samples only tell 200 from all others; OAuth 2.0 allows both.",
    ),
    Switch(
        "disabled_client_tokens",
        "Access tokens of a client that was disabled",
        (Choice("live", "live until they expire"), Choice("refused", "are refused at once with 401")),
        "live",
        "inferred",
        "A signed token is judged without asking who issued it; nothing public about ending one early.",
    ),
)
CALL_SWITCHES = (
    Switch(
        "content_type_refusal",
        "A call without Content-Type: application/json",
        (Choice("415", "415"), Choice("400", "400")),
        "415",
        "inferred",
        "That every call needs the header is documented, the answer without it is not.",
    ),
    Switch(
        "error_body",
        "Body of a refused call",
        (Choice("problem", "problem details"), Choice("text", "plain text"), Choice("empty", "nothing")),
        "problem",
        "inferred",
        "No error body is documented; problem details are the default of ASP.NET Core.",
    ),
    Switch(
        "created_status",
        "Status after a customer or sales order was created",
        (Choice("200", "200"), Choice("201", "201"), Choice("204", "204")),
        "200",
        "documented",
        "200 is documented, with the remark that there is no content.",
    ),
    Switch(
        "extra_fields",
        "Customers carry fields that no document names",
        ON_OFF,
        "off",
        "inferred",
        "The provider says that the API keeps growing.",
    ),
    Switch(
        "empty_fields",
        "A field of a customer that holds nothing",
        (Choice("null", "is null"), Choice("absent", "is left out")),
        "null",
        "observed",
        "An older page lists fields that must be there and may be null; nothing says it of answers.",
    ),
)
LIST_SWITCHES = (
    Switch(
        "list_path",
        "Where customers are searched",
        (Choice("companies", "GET /api/v1/companies"), Choice("customers", "GET /api/v1/customers")),
        "companies",
        "inferred",
        "The path was lost; the document calls what is found a company. The other path answers 404.",
    ),
    Switch(
        "list_envelope",
        "What the search answers",
        (
            Choice("items", '{"items", "page", "pageSize", "totalCount"}'),
            Choice("array", "a bare array"),
            Choice("data", '{"data"}'),
            Choice("results", '{"results"}'),
            Choice("value", '{"value"}'),
        ),
        "items",
        "inferred",
        "The shape was lost; this one is common where page and page size are asked for.",
    ),
    Switch(
        "total_count",
        "totalCount beside items",
        (
            Choice("all", "counts all that match"),
            Choice("page", "counts this page only"),
            Choice("missing", "is missing"),
        ),
        "all",
        "unknown",
        "Nothing public.",
    ),
    Switch(
        "parameter_names",
        "Parameters of the search",
        (
            Choice("long", "customerNumber, name, corporateIdentityNumber, page, pageSize"),
            Choice("short", "number, companyName, orgNumber, pageNumber, pageSize"),
        ),
        "long",
        "inferred",
        "Their meanings are documented, their names were lost.",
    ),
    Switch(
        "unknown_parameters",
        "A parameter that the search does not know",
        (Choice("ignored", "is ignored"), Choice("refused", "is refused with 400")),
        "ignored",
        "inferred",
        "The default of ASP.NET Core.",
    ),
    Switch(
        "page_too_large",
        "A page size over 100",
        (Choice("refused", "is refused with 400"), Choice("capped", "is taken as 100")),
        "refused",
        "inferred",
        "The maximum is documented, the answer beyond it is not.",
    ),
)
WRITE_SWITCHES = (
    Switch(
        "duplicate_number",
        "A new customer with a number that is taken",
        (Choice("400", "400"), Choice("409", "409")),
        "400",
        "inferred",
        "400 is the only documented status that fits.",
    ),
    Switch(
        "null_number",
        "A new customer whose number is null",
        (Choice("assigned", "gets the next number of GKS"), Choice("refused", "is refused with 400")),
        "assigned",
        "inferred",
        "The field must be there and may be null; what null means is not said.",
    ),
    Switch(
        "order_path",
        "Where sales orders are created",
        (Choice("salesorders", "POST /api/v1/salesorders"), Choice("orders", "POST /api/v1/orders")),
        "salesorders",
        "inferred",
        "The path was lost. The other one answers 404.",
    ),
    Switch(
        "purchase_date",
        "The obsolete date of purchase in a sales order",
        (Choice("ignored", "is ignored"), Choice("refused", "is refused with 400")),
        "ignored",
        "inferred",
        "Documented as obsolete: it is always the day on which the order is received.",
    ),
    Switch(
        "order_rows",
        "Rows of a sales order",
        (Choice("optional", "may be left out"), Choice("required", "must be there")),
        "optional",
        "unknown",
        "No document shows rows; that an order has amounts implies them.",
    ),
    Switch(
        "order_currency",
        "Currency of a sales order",
        (Choice("optional", "may be left out"), Choice("required", "must be there")),
        "optional",
        "unknown",
        "Documented as a field, not whether it is needed.",
    ),
)
SWITCHES = (*TOKEN_SWITCHES, *CALL_SWITCHES, *LIST_SWITCHES, *WRITE_SWITCHES)
