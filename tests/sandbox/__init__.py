"""Tests of the sandbox: it is judged by what its documents say, over real sockets."""
