"""The customer's pages, from outside."""
