"""The tables in which the simulated Pentamic keeps its state; instants are seconds of the simulator's clock."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS clients (
    id TEXT PRIMARY KEY, company_id INTEGER NOT NULL, name TEXT NOT NULL, secret TEXT NOT NULL, scopes TEXT NOT NULL,
    created_at REAL NOT NULL, disabled_at REAL
);
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE, scope TEXT NOT NULL,
    expires_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS customers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, company_id INTEGER NOT NULL, name TEXT NOT NULL, tax_code TEXT NOT NULL,
    address TEXT, phone TEXT, touches INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS customers_of_company ON customers (company_id);
CREATE TABLE IF NOT EXISTS invoices (
    id INTEGER PRIMARY KEY AUTOINCREMENT, customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE,
    number TEXT, billed TEXT NOT NULL, total REAL NOT NULL, paid INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS invoices_of_customer ON invoices (customer_id);
CREATE TABLE IF NOT EXISTS created (
    number INTEGER PRIMARY KEY AUTOINCREMENT, company_id INTEGER NOT NULL, customer_id INTEGER NOT NULL,
    tax_code TEXT NOT NULL
);
"""
