"""The tables in which the simulated SmartBusiness keeps its state; instants are seconds of the simulator's clock."""

from __future__ import annotations

# `changed` lies over the generated records: a body replaces or adds one, no body means that it was deleted.
SCHEMA = """
CREATE TABLE IF NOT EXISTS companies (
    id INTEGER PRIMARY KEY, plan TEXT NOT NULL DEFAULT 'full', plan_limit INTEGER
);
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, company_id INTEGER NOT NULL REFERENCES companies, name TEXT NOT NULL,
    surname TEXT NOT NULL, rights TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS clients (
    id TEXT PRIMARY KEY, company_id INTEGER REFERENCES companies, user_id INTEGER REFERENCES users,
    name TEXT NOT NULL, secret TEXT NOT NULL, grant_type TEXT NOT NULL, redirect_uri TEXT NOT NULL DEFAULT '',
    scopes TEXT NOT NULL, created_at REAL NOT NULL, revoked_at REAL
);
CREATE TABLE IF NOT EXISTS grants (
    id INTEGER PRIMARY KEY AUTOINCREMENT, client_id TEXT NOT NULL REFERENCES clients,
    user_id INTEGER NOT NULL REFERENCES users, company_id INTEGER NOT NULL REFERENCES companies,
    consented INTEGER NOT NULL, scopes TEXT NOT NULL, created_at REAL NOT NULL, used_at REAL, revoked_at REAL
);
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, grant_id INTEGER NOT NULL REFERENCES grants, scopes TEXT NOT NULL,
    expires_at REAL, spent_at REAL, killed_at REAL, redirect_uri TEXT, challenge TEXT, challenge_method TEXT
);
CREATE INDEX IF NOT EXISTS tokens_by_grant ON tokens (grant_id);
CREATE TABLE IF NOT EXISTS changed (
    company_id INTEGER, stream TEXT, id INTEGER, parent INTEGER, body TEXT, PRIMARY KEY (company_id, stream, id)
);
CREATE TABLE IF NOT EXISTS counted (
    company_id INTEGER, stream TEXT, generated INTEGER NOT NULL, PRIMARY KEY (company_id, stream)
);
CREATE TABLE IF NOT EXISTS made (
    serial INTEGER PRIMARY KEY AUTOINCREMENT, company_id INTEGER NOT NULL, stream TEXT NOT NULL, number TEXT
);
CREATE TABLE IF NOT EXISTS mails (
    serial INTEGER PRIMARY KEY AUTOINCREMENT, company_id INTEGER NOT NULL, stream TEXT NOT NULL, id INTEGER NOT NULL,
    number TEXT, recipients INTEGER NOT NULL, at REAL NOT NULL
);
"""
