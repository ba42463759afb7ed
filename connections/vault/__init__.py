"""What is stored: connections, sealed credentials, grants."""
