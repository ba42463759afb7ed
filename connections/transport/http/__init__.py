"""The guarded door to the network: every address judged, every certificate checked, deadlines and size caps."""
