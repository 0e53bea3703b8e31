"""What a release says of itself: promise, headline, card, and how numbers are written."""
