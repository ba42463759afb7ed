"""HTTP over a guarded session: every address and certificate is checked, with deadlines and size caps."""
