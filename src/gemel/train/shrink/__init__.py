"""Smaller encoders out of a release, what each costs and loses; and files for devices."""
