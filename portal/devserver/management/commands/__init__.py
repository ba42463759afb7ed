"""`manage.py ...`: one module per command."""
