"""Django's backend for PostgreSQL, for a server that another may take over from."""
