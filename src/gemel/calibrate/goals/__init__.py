"""What a release has to reach, how a threshold is chosen for it, and what is proven."""
