"""When and what: runs, cursors, records."""
