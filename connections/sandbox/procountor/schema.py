"""The tables in which the simulated Procountor keeps its state; instants are seconds of the simulator's clock."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS companies (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, code TEXT NOT NULL, usage_allowed INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, company_id INTEGER NOT NULL REFERENCES companies, name TEXT NOT NULL,
    role TEXT NOT NULL, levels TEXT NOT NULL, m2m_only INTEGER NOT NULL DEFAULT 0, person INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL, password_changed_at REAL, removed_at REAL
);
CREATE TABLE IF NOT EXISTS clients (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, secret TEXT NOT NULL, redirect_uri TEXT NOT NULL,
    invoiceable INTEGER NOT NULL DEFAULT 1, created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS api_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT, company_id INTEGER NOT NULL REFERENCES companies,
    user_id INTEGER NOT NULL REFERENCES users, client_id TEXT NOT NULL REFERENCES clients,
    digest TEXT NOT NULL UNIQUE, tail TEXT NOT NULL, created_at REAL NOT NULL, used_at REAL, revoked_at REAL
);
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, key_id INTEGER NOT NULL REFERENCES api_keys, company_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL, expires_at REAL NOT NULL, killed_at REAL
);
CREATE INDEX IF NOT EXISTS tokens_by_user ON tokens (user_id);
CREATE INDEX IF NOT EXISTS tokens_by_key ON tokens (key_id);
CREATE TABLE IF NOT EXISTS touched (
    company_id INTEGER, stream TEXT, id INTEGER, times INTEGER NOT NULL, version TEXT NOT NULL, active INTEGER,
    PRIMARY KEY (company_id, stream, id)
);
"""
