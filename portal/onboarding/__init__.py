"""One tenant's walk through one provider's checklist."""
