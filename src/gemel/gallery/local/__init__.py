"""The gallery of this machine: rows in SQLite, all of them in memory, an index file beside them."""
