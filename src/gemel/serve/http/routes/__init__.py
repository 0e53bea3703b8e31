"""The table of routes, a request as it comes to one, and the description made of the table."""
