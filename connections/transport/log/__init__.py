"""The request log and recordings, and what keeps secrets out of them."""
