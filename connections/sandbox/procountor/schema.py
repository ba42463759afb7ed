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
DROP TABLE IF EXISTS tokens;
DROP TABLE IF EXISTS touched;
CREATE TABLE IF NOT EXISTS codes (
    digest TEXT PRIMARY KEY, purpose TEXT NOT NULL, client_id TEXT NOT NULL REFERENCES clients,
    redirect_uri TEXT NOT NULL, company_id INTEGER NOT NULL, user_id INTEGER NOT NULL, expires_at REAL NOT NULL,
    used_at REAL
);
CREATE TABLE IF NOT EXISTS refresh_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL UNIQUE, client_id TEXT NOT NULL REFERENCES clients,
    company_id INTEGER NOT NULL, user_id INTEGER NOT NULL REFERENCES users, expires_at REAL NOT NULL, killed_at REAL
);
CREATE INDEX IF NOT EXISTS refresh_tokens_by_user ON refresh_tokens (user_id);
CREATE TABLE IF NOT EXISTS access_tokens (
    digest TEXT PRIMARY KEY, key_id INTEGER REFERENCES api_keys, refresh_id INTEGER REFERENCES refresh_tokens,
    client_id TEXT NOT NULL, company_id INTEGER NOT NULL, user_id INTEGER NOT NULL, expires_at REAL NOT NULL,
    killed_at REAL
);
CREATE INDEX IF NOT EXISTS access_tokens_by_user ON access_tokens (user_id);
CREATE INDEX IF NOT EXISTS access_tokens_by_key ON access_tokens (key_id);
CREATE INDEX IF NOT EXISTS access_tokens_by_refresh ON access_tokens (refresh_id);
CREATE TABLE IF NOT EXISTS changed (
    company_id INTEGER, stream TEXT, id INTEGER, body TEXT, PRIMARY KEY (company_id, stream, id)
);
CREATE TABLE IF NOT EXISTS created (
    company_id INTEGER NOT NULL, stream TEXT NOT NULL, id INTEGER NOT NULL, said TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS specifications (
    id INTEGER PRIMARY KEY, client_id TEXT NOT NULL UNIQUE REFERENCES clients, description TEXT NOT NULL,
    privacy_policy TEXT NOT NULL, terms TEXT NOT NULL, support TEXT NOT NULL, callback TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS activations (
    id TEXT PRIMARY KEY, specification_id INTEGER NOT NULL REFERENCES specifications, email TEXT NOT NULL,
    full_name TEXT NOT NULL, companies TEXT NOT NULL, expires_at REAL NOT NULL, answered TEXT
);
CREATE TABLE IF NOT EXISTS activated (
    company_id INTEGER, client_id TEXT, api_key TEXT NOT NULL, PRIMARY KEY (company_id, client_id)
);
CREATE TABLE IF NOT EXISTS webhooks (
    uuid TEXT PRIMARY KEY, company_id INTEGER NOT NULL, client_id TEXT NOT NULL, body TEXT NOT NULL,
    created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS confirmations (
    id TEXT PRIMARY KEY, company_id INTEGER NOT NULL, user_id INTEGER NOT NULL, deed TEXT NOT NULL,
    detail TEXT NOT NULL, summary TEXT NOT NULL, state TEXT NOT NULL, result TEXT, asked_at REAL NOT NULL,
    told_at REAL
);
"""
