"""How requests wait and are answered in batches, each kind of work in a queue of its own."""
