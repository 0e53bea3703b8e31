"""How dates, numbers and phone numbers are written, and what is read of each."""
