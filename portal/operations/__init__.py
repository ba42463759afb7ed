"""What runs the portal in production: start, checks, health, keys, maintenance, the web server."""
