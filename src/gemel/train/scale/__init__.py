"""Batches beyond the memory of a process (`gradients`), or beyond one process (`ranks`)."""
