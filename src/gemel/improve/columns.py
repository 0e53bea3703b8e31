"""The columns of the tables that duplicates and links are written to, by which they are known."""

FIRST = ("cluster", "size", "canonical")
"""Those that stand first in a table of clusters for people."""
LAST = ("score", "weakest_link", "risk")
"""Those that stand last in it."""
OF_PAIRS = ("left", "right", "score", "probability", "outcome", "probability_is")
"""All of a table of pairs; one of links has the ids under the names of the files, and then the
columns of both."""
