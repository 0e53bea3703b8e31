"""What a rollout is where nobody says otherwise: its defaults."""

STEPS = (5.0, 25.0, 50.0)
"""Per cent of the subjects."""
ALPHA = 0.05
SLOW_MS = 50.0
LEAST = 100
"""Subjects at each step."""
