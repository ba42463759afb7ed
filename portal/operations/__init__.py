"""Running the portal: start, checks, health, demo data."""
