"""Labels by people: which pairs to ask about, what was said, and what is known by it."""
