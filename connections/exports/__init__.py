"""Gives records back: files that somebody asked for, written by a process of their own, sealed, and gone after a day."""
