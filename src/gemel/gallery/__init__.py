"""The enrolled records of one space: rows in SQLite are the truth, everything else is a cache."""
