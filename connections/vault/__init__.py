"""What is kept: connections, sealed credentials, grants."""
