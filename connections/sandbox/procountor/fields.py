"""The fields of what can be written, with the limits of the specification."""

from __future__ import annotations

from dataclasses import replace

from connections.sandbox.procountor.catalogue import INVOICE_TYPES, RECEIPT_TYPES
from connections.sandbox.procountor.validation import (
    ANYTHING,
    CURRENCY,
    DAY,
    FLAG,
    MOMENT,
    NUMBER,
    WHOLE,
    WORD,
    Field,
    choice,
    holding,
    several,
    text,
)

LANGUAGES = ("ENGLISH", "FINNISH", "SWEDISH", "ESTONIAN", "NORWEGIAN", "DANISH")
CHANNELS = ("EMAIL", "MAIL", "ELECTRONIC_INVOICE", "EDIFACT", "PAPER_INVOICE", "NO_SENDING")
SIDES = ("PURCHASE", "SALES")
EVENTS = (
    "DIRECTBANKDATATRANSFER_PAYMENT_CREATED",
    "DIRECT_SALARY_PAYMENTS_CREATED",
    "DIRECT_SALARY_PAYMENTS_CANCELED",
    "INVOICE_PAYMENT_CREATED",
    "INVOICE_PAYMENTEVENTS_DELETED",
    "PAYMENT_UPDATED",
    "PAYMENT_DELETED",
    "USER_UPDATED",
    "TRACKING_PERIOD_STATUS_UPDATED",
)


def needed(field: Field) -> Field:
    return replace(field, required=True)


ADDRESS = {
    "name": text(80),
    "specifier": text(80),
    "street": text(80),
    "zip": text(20),
    "city": text(40),
    "country": WORD,
    "subdivision": text(35),
}
NAMED_ADDRESS = ADDRESS | {"name": text(80, required=True)}

PARTNER = {
    "name": text(80, required=True),
    "type": choice("CUSTOMER", "SUPPLIER", "PERSON", required=True),
    "address": holding(ADDRESS),
    "billingAddress": holding(ADDRESS),
    "deliveryAddress": holding(ADDRESS),
    "invoicingInfo": holding(
        {
            "customerNumber": text(),
            "identifier": text(),
            "identifierType": text(),
            "ovt": text(),
            "invoiceChannel": choice(*CHANNELS),
            "contactPerson": text(),
            "language": choice(*LANGUAGES),
            "email": text(),
            "bccAddresses": several(),
            "einvoiceAddress": text(),
            "einvoiceOperator": text(),
        }
    ),
    "attachments": several(),
    "contactPersons": several(),
    "additionalInfo": ANYTHING,
    "paymentInfo": holding(
        {
            "factoringContractId": WHOLE,
            "paymentMethod": needed(WORD),
            "bankAccount": text(),
            "paymentTermDays": text(),
            "paymentTermPercentage": NUMBER,
            "penalInterestRate": NUMBER,
            "discountPercentage": NUMBER,
            "cashDiscount": ANYTHING,
            "currency": CURRENCY,
            "deliveryMethod": text(),
            "clearingCode": text(),
            "bic": text(),
            "customerAccountNumber": text(),
        },
        required=True,
    ),
    "registryInfo": holding(
        {
            "active": FLAG,
            "phone": text(40),
            "mobilePhone": text(40),
            "fax": text(40),
            "section": text(80),
            "homeMunicipality": text(40),
            "reportGroup": text(),
            "reportGroupId": WHOLE,
            "partnerGroups": several(),
        }
    ),
}
PARTNER_PATCH = ("name", "type", "address", "invoicingInfo", "paymentInfo")

PRODUCT = {
    "type": choice("SALES", "PURCHASE", "TRAVEL", required=True),
    "name": text(100, required=True),
    "code": text(40),
    "unit": WORD,
    "discount": Field("number", required=True, least=0, most=100),
    "price": needed(NUMBER),
    "vat": NUMBER,
    "active": needed(FLAG),
    "defaultAccount": text(),
    "vatStatus": WHOLE,
    "currency": needed(CURRENCY),
    "productLocalizations": several({"language": choice(*LANGUAGES), "productName": text(100)}),
    "productGroupId": WHOLE,
    "startDate": DAY,
    "endDate": DAY,
    "bookkeepingAccount": text(),
}

TRANSACTION = {
    "id": WHOLE,
    "transactionType": choice("ENTRY", "RECONCILIATION_ENTRY", "REVERSING_ENTRY", required=True),
    "account": text(required=True),
    "accountingValue": needed(NUMBER),
    "vatPercent": needed(NUMBER),
    "vatType": choice(*SIDES),
    "vatStatus": WHOLE,
    "description": text(255),
    "balanceCode": text(255),
    "partnerId": WHOLE,
    "dimensionItemValues": several({"dimensionId": WHOLE, "itemId": WHOLE, "value": NUMBER}),
    "vatDeductionPercent": NUMBER,
    "startDate": DAY,
    "endDate": DAY,
}
RECEIPT = {
    "type": choice(*RECEIPT_TYPES, required=True),
    "name": text(80, required=True),
    "receiptDate": needed(DAY),
    "vatType": choice(*SIDES, required=True),
    "vatStatus": needed(WHOLE),
    "invoiceNotes": text(10_000),
    "accountantsNotes": text(255),
    "transactionDescription": text(255),
    "receiptValidity": WORD,
    "periodStartDate": DAY,
    "periodEndDate": DAY,
    "partnerId": WHOLE,
    "partnerCode": text(),
    "vatDate": DAY,
    "depreciation": WORD,
    "transactions": several(TRANSACTION, required=True),
    "attachments": several(),
}

ACCOUNT = holding({"accountNumber": text(), "bic": text()})
ROW = {
    "id": WHOLE,
    "productId": WHOLE,
    "product": text(required=True),
    "productCode": text(),
    "quantity": needed(NUMBER),
    "unit": needed(WORD),
    "unitPrice": needed(NUMBER),
    "discountPercent": needed(NUMBER),
    "vatPercent": needed(NUMBER),
    "vatStatus": WHOLE,
    "comment": text(512),
    "startDate": DAY,
    "endDate": DAY,
    "headerText": text(512),
    "explanationText": text(512),
}
INVOICE = {
    "partnerId": WHOLE,
    "type": choice(*(INVOICE_TYPES - {"PERIODIC_TAX_RETURN"}), required=True),
    "date": needed(DAY),
    "counterParty": holding(
        {
            "contactPersonName": text(70),
            "identifier": text(),
            "taxCode": text(),
            "customerNumber": text(),
            "email": text(),
            "bccAddresses": several(),
            "counterPartyAddress": holding(NAMED_ADDRESS, required=True),
            "bankAccount": ACCOUNT,
            "einvoiceAddress": ANYTHING,
        },
        required=True,
    ),
    "billingAddress": holding(ADDRESS),
    "deliveryAddress": holding(ADDRESS),
    "paymentInfo": holding(
        {
            "paymentMethod": needed(WORD),
            "currency": needed(CURRENCY),
            "bankAccount": ACCOUNT,
            "dueDate": needed(DAY),
            "newDueDate": DAY,
            "currencyRate": Field("number", required=True, most=1_000_000),
            "paymentTermPercentage": NUMBER,
            "cashDiscount": ANYTHING,
            "bankReferenceCode": text(40),
            "bankReferenceCodeType": WORD,
            "clearingCode": text(50),
        },
        required=True,
    ),
    "extraInfo": holding(
        {"accountingByRow": needed(FLAG), "unitPricesIncludeVat": needed(FLAG)},
        required=True,
    ),
    "discountPercent": needed(NUMBER),
    "orderReference": text(),
    "invoiceRows": several(ROW, required=True),
    "invoiceChannel": choice(*CHANNELS, required=True),
    "vatStatus": WHOLE,
    "originalInvoiceNumber": text(40),
    "deliveryStartDate": DAY,
    "deliveryEndDate": DAY,
    "deliveryMethod": text(),
    "penaltyPercent": NUMBER,
    "language": choice(*LANGUAGES),
    "invoiceTemplateId": WHOLE,
    "additionalInformation": text(),
    "vatCountry": WORD,
    "notes": text(10_000),
    "travelInformationItems": several(),
    "attachments": several(),
    "isOffer": FLAG,
}

MARK_PAID = {
    "paymentDate": needed(DAY),
    "amount": Field("number", required=True, least=0),
    "currency": needed(CURRENCY),
    "description": text(140),
    "paymentMethodType": WORD,
}
PAYMENTS = {
    "payments": several(
        {
            "invoiceId": needed(WHOLE),
            "invoiceVersion": needed(MOMENT),
            "amount": Field("number", required=True, least=0.01),
            "paymentDate": needed(DAY),
            "paymentMethod": needed(WORD),
            "recipientBankAccount": text(80, required=True),
            "recipientBicCode": text(80),
            "recipientNameAndAddress": holding(NAMED_ADDRESS, required=True),
            "bankReferenceCode": text(40),
            "message": text(140),
            "payerBankAccount": text(),
        },
        required=True,
    )
}
WEBHOOK = {
    "url": text(required=True),
    "authenticationType": choice("HMAC", "NONE", required=True),
    "authenticationMeta": ANYTHING,
    "subscriptions": several(required=True),
}
