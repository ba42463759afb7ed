"""Bodies to start from when a request is tried: invented, and complete enough to be taken."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]

ADDRESS: Body = {
    "name": "Esimerkki Oy",
    "street": "Keksitty katu 1",
    "zip": "00001",
    "city": "MALLILA",
    "country": "FINLAND",
}
PARTNER: Body = {
    "name": "Esimerkki Oy P-1001",
    "type": "CUSTOMER",
    "address": ADDRESS,
    "billingAddress": ADDRESS,
    "invoicingInfo": {"customerNumber": "P-1001"},
    "paymentInfo": {"paymentMethod": "BANK_TRANSFER", "paymentTermDays": "14", "currency": "EUR"},
    "registryInfo": {"active": True},
}
PRODUCT: Body = {
    "type": "SALES",
    "name": "Esimerkki",
    "code": "P-1001",
    "unit": "PIECE",
    "discount": 0,
    "price": 10.0,
    "vat": 25.5,
    "active": True,
    "currency": "EUR",
}
INVOICE: Body = {
    "type": "SALES_INVOICE",
    "date": "2026-01-15",
    "originalInvoiceNumber": "P-1001",
    "counterParty": {"counterPartyAddress": ADDRESS},
    "paymentInfo": {"paymentMethod": "BANK_TRANSFER", "currency": "EUR", "dueDate": "2026-01-29", "currencyRate": 1},
    "extraInfo": {"accountingByRow": False, "unitPricesIncludeVat": False},
    "discountPercent": 0,
    "invoiceChannel": "NO_SENDING",
    "language": "FINNISH",
    "invoiceRows": [
        {
            "product": "Esimerkki",
            "quantity": 1,
            "unit": "PIECE",
            "unitPrice": 10.0,
            "discountPercent": 0,
            "vatPercent": 25.5,
        }
    ],
}
RECEIPT: Body = {
    "type": "JOURNAL",
    "name": "P-1001",
    "receiptDate": "2026-01-15",
    "vatType": "SALES",
    "vatStatus": 1,
    "transactions": [
        {"transactionType": "ENTRY", "account": "1910", "accountingValue": 10.0, "vatPercent": 0},
        {"transactionType": "ENTRY", "account": "3000", "accountingValue": -10.0, "vatPercent": 0},
    ],
}
MARK_PAID: Body = {"paymentDate": "2026-01-20", "amount": 12.55, "currency": "EUR"}
PAYMENTS: Body = {
    "payments": [
        {
            "invoiceId": 0,
            "invoiceVersion": "2026-01-15T08:00:00",
            "amount": 12.55,
            "paymentDate": "2026-01-20",
            "paymentMethod": "BANK_TRANSFER",
            "recipientBankAccount": "FI0000000000000000",
            "recipientNameAndAddress": ADDRESS,
            "message": "P-1001",
        }
    ]
}
WEBHOOK: Body = {
    "url": "https://portal.example/webhooks/procountor/",
    "authenticationType": "NONE",
    "subscriptions": ["INVOICE_PAYMENT_CREATED"],
}
