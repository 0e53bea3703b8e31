"""What files look like, as proposals to the user; nothing acts on one before it is written down."""
