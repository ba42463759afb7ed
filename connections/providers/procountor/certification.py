"""Procountor's certification: the twelve checkpoints of its page, as lines that are measured; and its API versions."""

from __future__ import annotations

import re
from datetime import date

from django.utils.translation import gettext_lazy as _

from connections.providers.procountor.checklist import M2M
from connections.spec import measures, trouble_measures
from connections.spec.certification import ApiVersion, Better, Certification, CertificationLine

MOST_SINGLE = 10  # records that are read one by one before a batch would have been right
MOST_POLLS = 40  # of one confirmation: it lives for five minutes, and is asked for every few seconds at first
BATCHES = {
    "partners.get": "partners.batch",
    "products.get": "products.batch",
    "invoices.get": "invoices.batch",
    "ledger_receipts.get": "ledger_receipts.batch",
}
MONTHLY = re.compile(r"v(?P<year>[0-9]{2})(?P<month>0[1-9]|1[0-2])")
MONTHS_SERVED = 9
RELEASES = "API requests; release notes"
NONE = _("none")


def version_named(name: str) -> ApiVersion | None:
    """`latest`, `supported`, or a month's release, which is served for about nine months."""
    if name in ("latest", "supported"):
        return ApiVersion(name, RELEASES)
    match = MONTHLY.fullmatch(name)
    if match is None:
        return None
    year, month = 2000 + int(match["year"]), int(match["month"])
    later = month - 1 + MONTHS_SERVED
    return ApiVersion(name, RELEASES, date(year, month, 1), date(year + later // 12, later % 12 + 1, 1))


LINES = (
    CertificationLine(
        "tested-first", "1", _("Tested on the public testing server before production"), _("a company there first"),
        _("Connect a company at the test server, and walk its checklist to the end."),
        of_house=measures.tested_first, environments=("production",),
    ),
    CertificationLine(
        "documented-requests", "2", _("Every request is one that the API reference describes"), NONE,
        _("Compare the operation with the API reference, and correct it."),
        of_traffic=measures.documented_requests,
    ),
    CertificationLine(
        "readable-answers", "2", _("Every answer was understood"), NONE,
        _("Look at the entry: the answer was too large, not JSON, or in an odd charset."),
        of_traffic=measures.readable_answers,
    ),
    CertificationLine(
        "calls-per-token", "3", _("An access token serves many calls"), _("at least 2 calls for each token"),
        _("Find what asks for a token for every call of this connection."),
        of_traffic=measures.calls_per_token(2), better=Better.MORE,
    ),
    CertificationLine(
        "tokens-reused", "3", _("No token is asked for within the hour of a living one"), NONE,
        _("Look at what happened between the two token requests."),
        of_traffic=measures.tokens_reused,
    ),
    CertificationLine(
        "tokens-within-life", "3", _("No call with a token that is older than an hour"), _("3600 seconds"),
        _("Compare the clocks of the workers."),
        of_traffic=measures.tokens_within_life, better=Better.LESS,
    ),
    CertificationLine(
        "no-secret-in-addresses", "3.1", _("No secret in any address"), NONE,
        _("Take the parameter out of the address: into a header, or into the body."),
        of_traffic=measures.no_secret_in_addresses,
    ),
    CertificationLine(
        "machine-access", "3.1", _("API keys where nothing has to be confirmed by a person"), NONE,
        _("Ask the owner to connect with the API key of a technical user."),
        of_traffic=measures.machine_access(M2M),
    ),
    CertificationLine(
        "technical-users", "3.1", _("Technical users, no natural persons, behind API keys"), NONE,
        _("Ask the owner whose key it is, and to confirm it in the checklist."),
        of_traffic=measures.checkpoint_passed("technical-user", M2M),
    ),
    CertificationLine(
        "rights-limited", "4", _("Users have the rights that are needed, and no others without a word"), NONE,
        _("The checklist of the connection says which rights are missing or too many."),
        of_traffic=measures.checkpoint_passed("rights"),
    ),
    CertificationLine(
        "m2m-only", "4", _("Technical users may use nothing but the API"), NONE,
        _("Ask the owner to set “Allow only M2M login to API”."),
        of_traffic=measures.checkpoint_passed("m2m-only", M2M),
    ),
    CertificationLine(
        "usage-allowed", "4", _("The use of invoiceable API clients is allowed"), NONE,
        _("Ask the owner to allow it under Usage settings."),
        of_traffic=measures.checkpoint_passed("usage-settings"),
    ),
    CertificationLine(
        "right-product", "5", _("Companies of the product that the API is meant for"), NONE,
        _("The checklist of the connection says what is odd about the company."),
        of_traffic=measures.checkpoint_passed("company"),
    ),
    CertificationLine(
        "confirmations-polled", "6", _("Confirmations are not asked for in vain, as webhooks would tell of them"),
        _("40 looks at each"), _("Look at what asks for the outcome so often."),
        of_traffic=measures.confirmations_polled(MOST_POLLS, "mfa.result"), better=Better.LESS,
    ),
    CertificationLine(
        "peak-rate", "7", _("Requests of one company within any second"), _("60"),
        _("The limiter let too many through: compare its windows with these requests."),
        of_traffic=measures.peak_rate(60), better=Better.LESS,
    ),
    CertificationLine(
        "full-pages", "7", _("Lists are read in pages of 200"), _("no more pages than that takes"),
        _("Look at the run: its lists came in small pages."),
        of_traffic=measures.full_pages, better=Better.LESS,
    ),
    CertificationLine(
        "previous-id", "7", _("Pages follow each other by previousId"), NONE,
        _("Declare the list's paging by the last id."),
        of_traffic=measures.pages_by_previous_id, better=Better.LESS,
    ),
    CertificationLine(
        "batches", "7", _("Many records are read by batches"), _("10 one by one"),
        _("Let this run ask for several records at once."),
        of_traffic=measures.batches_used(MOST_SINGLE, BATCHES), better=Better.LESS,
    ),
    CertificationLine(
        "changes-only", "7", _("Only what has changed is read, by versionStartDate"), _("all of a list once a week"),
        _("Look at why the run read the whole list."),
        of_traffic=measures.changes_only,
    ),
    CertificationLine(
        "spaced-retries", "7", _("Retries after 1, 2, 4, 8 and 16 seconds"), _("100 % of what is due"),
        _("Look at the two attempts: the second came too early."),
        of_traffic=trouble_measures.spaced_retries, better=Better.MORE,
    ),
    CertificationLine(
        "server-errors-repeated", "7", _("Server errors are tried again"), NONE,
        _("Nothing asked again: look at whether the connection is read at all."),
        of_traffic=trouble_measures.server_errors_repeated,
    ),
    CertificationLine(
        "refusals-not-repeated", "7", _("What was refused is not sent again as it was"), NONE,
        _("Look at the two attempts: the first was refused for good."),
        of_traffic=trouble_measures.refusals_not_repeated,
    ),
    CertificationLine(
        "errors-explained", "8", _("People are told what went wrong"), NONE,
        _("Give this answer a fault: a sentence, and who must act."),
        of_traffic=trouble_measures.errors_explained,
    ),
    CertificationLine(
        "complete-log", "8", _("The log has what the support desk asks for"), NONE,
        _("Look at what wrote this entry."),
        of_traffic=trouble_measures.complete_log,
    ),
    CertificationLine(
        "served-versions", "9", _("Versions of the API that are supported"), NONE,
        _("Choose a supported version in the client registration."),
        of_traffic=trouble_measures.served_versions,
    ),
    CertificationLine(
        "browsers-told", "10", _("People are told which browsers the login page supports"), NONE,
        _("Say it in the checkpoint where people are sent to sign in."),
        of_house=measures.told_where_people_sign_in("Internet Explorer", "Safari 9"),
    ),
    CertificationLine(
        "client-registered", "11", _("A client of our own, under the name of our product"), _("a client id"),
        _("Register the client id. Compare its name in Procountor with that of our product."),
        of_house=measures.client_registered,
    ),
    CertificationLine(
        "guided", "12", _("Every customer was shown how to connect"), NONE,
        _("Begin a checklist for this connection."),
        of_traffic=measures.guided,
    ),
    CertificationLine(
        "deactivation-guided", "12", _("Whoever left was told what to remove"), NONE,
        _("Look at the connection: it was left without a departure."),
        of_traffic=measures.departures_guided,
    ),
    CertificationLine(
        "live-customers", "12", _("Customers who are live"), _("at least 2"),
        _("Connect a second customer before the certification."),
        of_house=measures.live_customers(2), better=Better.MORE, environments=("production",),
    ),
)  # fmt: skip

CERTIFICATION = Certification(
    _("Procountor API certification"), "https://dev.procountor.com/api-certification/", LINES
)
