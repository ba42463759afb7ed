"""How to talk: the one door to the network."""
