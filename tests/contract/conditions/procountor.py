"""What may be wrong at Procountor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connections.calls.services import ask, switch_writes
from connections.sandbox.procountor.accounts import COMPANIES
from connections.sandbox.procountor.rights import BY_NAME, NEEDED
from connections.spec.operations import Arguments
from connections.tenancy.scope import Actor, tenant_scope
from connections.vault.models import Connection
from tests.contract.conditions import CUSTOMER, US, Condition
from tests.contract.conditions.everywhere import ALWAYS, other_registration
from tests.roles import acting_as

if TYPE_CHECKING:
    from tests.contract.customers import Customer

RIGHTS_GONE = ("rights-lost", "rights-lacking")  # the first where all of them had been there
AINO = Actor(1, "aino@aamu.example")
M2M, SIGN_IN = ("m2m",), ("sign-in",)
OTHER_COMPANY = COMPANIES[1][0]
HALF_A_YEAR_SECONDS = 190 * 24 * 3600
WORDS = {  # as Procountor's own names of rights read
    "sales.salesInvoiceSearch": "Sales invoice search (Sales)",
    "sales.customerRegister": "Customer register (Sales)",
    "purchases.purchaseInvoiceSearch": "Purchase invoice search (Purchases)",
    "purchases.supplierRegister": "Supplier register (Purchases)",
    "sales.productRegister": "Product register (Sales)",
    "accounting.journalReceiptSearch": "Journal receipt search (Accounting)",
    "accounting.accountingReports": "Accounting reports (Accounting)",
    "payments.bankStatementAndReferencePayment": "Bank statement and reference payment (Payments)",
    "sales.personalSalesInvoicesOnly": "Personal sales invoices only (Sales)",
    "user.limitedDimensions": "Limited dimensions (User)",
}
REFUSED_LISTS = {"invoices": "Invoices", "products": "Products", "ledgerreceipts": "Ledger receipts"}


def user_id(customer: Customer) -> int:
    """Of whoever's access it is, as Procountor says."""
    with acting_as("worker"):
        client = customer.client()
        found: int = client.send("session").body["userId"]
        with tenant_scope(customer.tenant.id):
            client.write_pending()
    return found


def user(customer: Customer, **change: Any) -> None:
    customer.simulator.control("user", {"user_id": user_id(customer), **change})


def without(right: str) -> Condition:
    return Condition(
        f"the right {right} is taken away",
        lambda customer: user(customer, preset="all-needed", rights={right: "NO_ACCESS"}),
        ("rights",),
        RIGHTS_GONE,
        CUSTOMER,
        WORDS[right],
        is_short=right == NEEDED[0],
    )


def narrowed(right: str) -> Condition:
    return Condition(
        f"the limitation {right} is set",
        lambda customer: user(customer, rights={right: True}),
        ("rights",),
        ("rights-narrowed",),
        CUSTOMER,
        WORDS[right],
    )


def refused(path: str, label: str) -> Condition:
    """The rights are there, and the list is refused all the same."""
    body = '{"errors": [{"status": 403, "message": "FORBIDDEN"}]}'
    return Condition(
        f"the list of {path} is refused with 403 although the rights are there",
        lambda customer: customer.simulator.faults({"path": f"/{path}", "status": 403, "body": body, **ALWAYS}),
        ("rights",),
        ("right-missing",),
        CUSTOMER,
        label,
    )


def usage(customer: Customer, **switches: str) -> None:
    customer.simulator.control("switches", switches)
    customer.simulator.control("usage", {"allowed": False})


def key_of(customer: Customer, *, company: int | None = None, **user: Any) -> str:
    """A key of another technical user, or in another company."""
    described = {"preset": "all-needed", **user}
    key: str = customer.simulator.control("setup", {"user": described, **({"company": company} if company else {})})[
        "api_key"
    ]
    customer.secrets.add(key)
    return key


def mended_key(customer: Customer) -> str:
    """A key that was revoked after it was copied."""
    key = key_of(customer)
    customer.simulator.control("revoke", {"api_key": key})
    return key


def pay(customer: Customer) -> None:
    """Tried by hand: what only a person can confirm."""
    with customer.here():
        connection = Connection.objects.select_related("tenant").get(id=customer.connection.id)
        switch_writes(connection=connection, on=True, actor=AINO)
        ask(
            connection=connection,
            operation="payments.delete",
            arguments=Arguments(path={"id": "1"}),
            actor=AINO,
        )
    customer.work_off()


SETUP = {"user": {"preset": "all-needed"}}  # the technical user of the walk: what is needed, and nothing else

CONDITIONS = (
    Condition(
        "the usage setting is off",
        usage,
        ("usage-settings",),
        ("usage-forbidden",),
        CUSTOMER,
        "usage settings",
        grants=M2M,
        is_short=True,
    ),
    Condition(
        "the usage setting is off, and tokens that were given end with it",
        lambda customer: usage(customer, usage_stops_calls="on"),
        ("usage-settings",),
        ("usage-forbidden",),
        CUSTOMER,
        "usage settings",
        grants=M2M,
    ),
    Condition(
        "the usage setting is off, and Procountor answers as for a wrong key",
        lambda customer: usage(customer, usage_not_allowed="401"),
        ("api-key",),
        ("api-key-refused",),
        CUSTOMER,
        "usage settings",
        grants=M2M,
        alike="a revoked key",
    ),
    Condition(
        "every key and access was revoked",
        lambda customer: customer.simulator.control("revoke", {}),
        ("api-key",),
        ("api-key-refused",),
        CUSTOMER,
        "it was revoked",
        grants=M2M,
        is_short=True,
    ),
    Condition(
        "the key was revoked, and its token lives on",
        lambda customer: (
            customer.simulator.control("switches", {"revoked_key_kills_tokens": "off"}),
            customer.simulator.control("revoke", {}),
        ),
        ("api-key",),
        ("api-key-refused",),
        CUSTOMER,
        "it was revoked",
        grants=M2M,
    ),
    Condition(
        "the technical user was removed",
        lambda customer: user(customer, removed=True),
        ("api-key",),
        ("api-key-refused",),
        CUSTOMER,
        "its user was removed",
        grants=M2M,
    ),
    Condition(
        "the person was removed from the company",
        lambda customer: user(customer, removed=True),
        ("api-key",),
        ("access-ended",),
        CUSTOMER,
        "left the company",
        grants=SIGN_IN,
        is_short=True,
    ),
    Condition(
        "the person changed their password",
        lambda customer: user(customer, password_changed=True),
        ("api-key",),
        ("access-ended",),
        CUSTOMER,
        "the password was changed",
        grants=SIGN_IN,
    ),
    Condition(
        "six months are over",
        lambda customer: customer.simulator.control("clock", {"offset_seconds": HALF_A_YEAR_SECONDS}),
        ("api-key",),
        ("access-ended",),
        CUSTOMER,
        "six months are over",
        grants=SIGN_IN,
    ),
    *(without(right) for right in NEEDED),
    *(narrowed(name) for name, right in BY_NAME.items() if right.limitation),
    Condition(
        "all rights are taken away, and lists come empty instead of being refused",
        lambda customer: (
            customer.simulator.control("switches", {"missing_right": "empty"}),
            user(customer, preset="nothing"),
        ),
        ("rights",),
        RIGHTS_GONE,
        CUSTOMER,
        "Customer register",
    ),
    Condition(
        "the technical user got a right beyond viewing what is needed",
        lambda customer: user(customer, rights={"sales.customerRegister": "ALL_RIGHTS"}),
        ("rights",),
        ("rights-more",),
        CUSTOMER,
        "Customer register (Sales)",
        grants=M2M,
        is_short=True,
    ),
    *(refused(path, label) for path, label in REFUSED_LISTS.items()),
    Condition(
        "“Allow only M2M login to API” was taken out of use",
        lambda customer: user(customer, m2m_only=False),
        blind="Procountor's answers do not tell it; a person's word is all there is.",
        grants=M2M,
        is_short=True,
    ),
    Condition(
        "the key of another technical user is typed in",
        lambda customer: customer.type_anew(api_key=key_of(customer, name="Somebody else")),
        ("technical-user",),
        ("user-changed", "user-seen"),
        CUSTOMER,
        "Somebody else",
        grants=M2M,
    ),
    Condition(
        "the key of another company is typed in",
        lambda customer: customer.type_anew(api_key=key_of(customer, company=OTHER_COMPANY)),
        ("api-key",),
        ("company-other",),
        CUSTOMER,
        "Iltarusko Oy",
        grants=M2M,
    ),
    Condition(
        "a key that was revoked before is typed in",
        lambda customer: customer.type_anew(api_key=mended_key(customer)),
        ("api-key",),
        ("api-key-wrong",),
        CUSTOMER,
        "does not accept this API key",
        grants=M2M,
    ),
    Condition(
        "somebody of another company signs in",
        lambda customer: (
            customer.simulator.control("usage", {"company": OTHER_COMPANY, "allowed": True}),
            customer.sign_in(company=OTHER_COMPANY),
        ),
        ("api-key",),
        ("company-other",),
        CUSTOMER,
        "Iltarusko Oy",
        grants=SIGN_IN,
    ),
    Condition(
        "our client's secret is not the one that Procountor knows, and it says so in the words of OAuth",
        lambda customer: (
            customer.simulator.control("switches", {"token_error_body": "oauth"}),
            other_registration(customer),
        ),
        codes=("client-refused",),
        responsible=US,
        thing="our own registration",
    ),
    Condition(
        "our client's secret is not the one that Procountor knows",
        other_registration,
        ("api-key",),
        ("api-key-refused",),
        CUSTOMER,
        "ask our staff",
        alike="a revoked key",
        grants=M2M,
    ),
    Condition(
        "our client's secret is not the one that Procountor knows, of a person's sign-in",
        other_registration,
        ("api-key",),
        ("access-ended",),
        CUSTOMER,
        "ask our staff",
        alike="an access that has ended",
        grants=SIGN_IN,
    ),
    Condition(
        "a payment is tried that only a person can confirm, with a second factor",
        pay,
        codes=("confirmation-needed",),
        responsible=CUSTOMER,
        thing="Procountor Key",
        grants=M2M,
        is_short=True,
    ),
    # -- before anything has worked
    Condition(
        "a key that is cut short",
        lambda customer: customer.given.update(api_key=customer.given["api_key"][:-5]),
        ("api-key",),
        ("api-key-wrong",),
        CUSTOMER,
        "Copy it once more",
        grants=M2M,
        is_before=True,
        by_hand=True,
    ),
    Condition(
        "a key that was revoked before it was entered",
        lambda customer: customer.given.update(api_key=mended_key(customer)),
        ("api-key",),
        ("api-key-wrong",),
        CUSTOMER,
        "does not accept this API key",
        grants=M2M,
        is_before=True,
        by_hand=True,
    ),
    Condition(
        "the usage setting was never allowed",
        usage,
        ("usage-settings",),
        ("usage-forbidden",),
        CUSTOMER,
        "usage settings",
        grants=M2M,
        is_before=True,
    ),
    Condition(
        "the usage setting was never allowed, and Procountor answers as for a wrong key",
        lambda customer: usage(customer, usage_not_allowed="401"),
        ("api-key",),
        ("api-key-wrong",),
        CUSTOMER,
        "usage settings",
        grants=M2M,
        alike="a wrong key",
        is_before=True,
    ),
    Condition(
        "the technical user was given no right at all",
        lambda customer: customer.given.update(api_key=key_of(customer, preset="nothing")),
        ("rights",),
        RIGHTS_GONE,
        CUSTOMER,
        "Sales invoice search",
        grants=M2M,
        is_before=True,
        by_hand=True,
    ),
    Condition(
        "the person who should sign in denies",
        lambda customer: customer.sign_in(deny=True),
        codes=("access_denied",),
        thing="declined",
        grants=SIGN_IN,
        is_before=True,
        is_login=True,
    ),
)
