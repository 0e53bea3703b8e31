"""Smaller encoders out of a release: candidates, what each costs and loses, and the one to make."""
