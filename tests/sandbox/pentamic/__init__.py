"""Tests of the simulated Pentamic: judged by its document, over real sockets."""
