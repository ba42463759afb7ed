"""`make run`: the whole portal with servers and simulators of its own, under one supervisor. Production runs none of it."""
