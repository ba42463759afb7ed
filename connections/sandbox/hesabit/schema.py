"""The tables in which the simulated Hesabit keeps its state; instants are seconds of the simulator's clock."""

from __future__ import annotations

# `changed` lies over the generated records: a body replaces or adds one, no body means that it was deleted.
SCHEMA = """
CREATE TABLE IF NOT EXISTS shops (
    id INTEGER PRIMARY KEY, package INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS clients (
    id TEXT PRIMARY KEY, shop_id INTEGER, name TEXT NOT NULL, secret TEXT NOT NULL, redirect_uri TEXT NOT NULL,
    created_at REAL NOT NULL, removed_at REAL
);
CREATE TABLE IF NOT EXISTS grants (
    id INTEGER PRIMARY KEY AUTOINCREMENT, client_id TEXT NOT NULL REFERENCES clients, shop_id INTEGER NOT NULL,
    offline INTEGER NOT NULL, redirect_uri TEXT NOT NULL, created_at REAL NOT NULL, revoked_at REAL
);
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, grant_id INTEGER NOT NULL REFERENCES grants, expires_at REAL,
    killed_at REAL
);
CREATE INDEX IF NOT EXISTS tokens_by_grant ON tokens (grant_id);
CREATE TABLE IF NOT EXISTS calls (
    client_id TEXT, day TEXT, counted INTEGER NOT NULL, refused INTEGER NOT NULL, PRIMARY KEY (client_id, day)
);
CREATE TABLE IF NOT EXISTS changed (
    shop_id INTEGER, stream TEXT, id INTEGER, body TEXT, PRIMARY KEY (shop_id, stream, id)
);
CREATE TABLE IF NOT EXISTS counted (
    shop_id INTEGER, stream TEXT, generated INTEGER NOT NULL, PRIMARY KEY (shop_id, stream)
);
CREATE TABLE IF NOT EXISTS made (
    serial INTEGER PRIMARY KEY AUTOINCREMENT, shop_id INTEGER NOT NULL, stream TEXT NOT NULL, body TEXT NOT NULL
);
"""
