"""The rights of a user as `GET /users/rights` tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ALL, VIEWING, NONE, NOT_ENABLED = "ALL_RIGHTS", "VIEWING_RIGHTS", "NO_ACCESS", "NOT_ENABLED"
LEVELS = {ALL: "All rights", VIEWING: "Viewing rights", NONE: "No access", NOT_ENABLED: "Not enabled"}
SECTIONS = (
    "management",
    "user",
    "sales",
    "purchases",
    "travelAndExpenses",
    "invoiceCirculation",
    "salaries",
    "payments",
    "accounting",
)


@dataclass(frozen=True)
class Right:
    """One right (a level) or limitation (yes or no); `name` is its place in the answer, as `sales.customerRegister`."""

    name: str
    title: str
    limitation: bool = False

    @property
    def field(self) -> str:
        """Its name in forms, without the dot."""
        return self.name.replace(".", "-")


RIGHTS = (
    Right("sales.salesInvoiceSearch", "Sales invoice search"),
    Right("sales.customerRegister", "Customer register"),
    Right("sales.productRegister", "Product register"),
    Right("sales.personalSalesInvoicesOnly", "Personal sales invoices only", limitation=True),
    Right("purchases.purchaseInvoiceSearch", "Purchase invoice search"),
    Right("purchases.supplierRegister", "Supplier register"),
    Right("accounting.journalReceiptSearch", "Journal receipt search"),
    Right("accounting.accountingReports", "Accounting reports"),
    Right("payments.bankStatementAndReferencePayment", "Bank statements and reference payments"),
    Right("user.limitedDimensions", "Limited dimensions", limitation=True),
)
SOLO_LOGIN_BLOCK = "user.blockSoloLoginToProcountor"
BY_NAME = {right.name: right for right in RIGHTS}

NEEDED = (
    "sales.salesInvoiceSearch",
    "sales.customerRegister",
    "purchases.purchaseInvoiceSearch",
    "purchases.supplierRegister",
    "sales.productRegister",
    "accounting.journalReceiptSearch",
    "accounting.accountingReports",
    "payments.bankStatementAndReferencePayment",
)

Levels = dict[str, str | bool]


def preset(name: str) -> Levels:
    """`nothing`, `all-needed` (viewing everything that is listed) or `everything`. Raises KeyError."""
    levels = {"nothing": dict.fromkeys(BY_NAME, NONE), "everything": dict.fromkeys(BY_NAME, ALL)}
    levels["all-needed"] = {**levels["nothing"], **dict.fromkeys(NEEDED, VIEWING)}
    return {right: False if BY_NAME[right].limitation else level for right, level in levels[name].items()}


PRESETS = {
    "nothing": "Customised, nothing",
    "all-needed": "View everything that is listed",
    "everything": "All rights",
}


def merged(levels: Mapping[str, object], changes: Mapping[str, object]) -> Levels:
    """`levels` with `changes` on top. Raises ValueError for a right or level that does not exist."""
    result: Levels = {}
    for name, value in {**levels, **changes}.items():
        right = BY_NAME.get(name)
        if right is None:
            msg = f"there is no right {name!r}"
            raise ValueError(msg)
        if (right.limitation and isinstance(value, bool)) or (
            not right.limitation and isinstance(value, str) and value in LEVELS
        ):
            result[name] = value
        else:
            msg = f"{name} cannot be {value!r}"
            raise ValueError(msg)
    return result


def opens(levels: Mapping[str, object], needed: tuple[str, ...], *, to_change: bool = False) -> bool:
    """Whether one of these rights is given, to look or also to change; nothing needed opens to everybody."""
    enough = (ALL,) if to_change else (ALL, VIEWING)
    return not needed or any(levels.get(right) in enough for right in needed)


def answer(*, role: str, levels: Mapping[str, str | bool], solo_login_blocked: bool) -> dict[str, object]:
    """The body of `GET /users/rights`."""
    sections: dict[str, dict[str, str | bool]] = {section: {} for section in SECTIONS}
    for name, level in {**levels, SOLO_LOGIN_BLOCK: solo_login_blocked}.items():
        section, _, item = name.partition(".")
        sections[section][item] = level
    return {"role": role, "rights": sections}
