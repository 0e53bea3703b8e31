"""The galleries of a service: those that are open, and what is erased from all of them."""
