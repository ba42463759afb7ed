"""Pages about people: entering, the team, oneself."""
