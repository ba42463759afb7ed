"""The tables in which the simulated GKS4 keeps its state; instants are seconds of the simulator's clock."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS clients (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, resources TEXT NOT NULL,
    created_at REAL NOT NULL, used_at REAL, disabled_at REAL
);
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, client_id TEXT NOT NULL REFERENCES clients, expires_at REAL NOT NULL, killed_at REAL
);
CREATE INDEX IF NOT EXISTS tokens_by_client ON tokens (client_id);
CREATE TABLE IF NOT EXISTS customers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT NOT NULL UNIQUE, version INTEGER NOT NULL DEFAULT 1,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, customer_number TEXT NOT NULL, purchase_order_number TEXT,
    client_id TEXT NOT NULL, received_at REAL NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_by_purchase_order_number ON orders (purchase_order_number);
"""
