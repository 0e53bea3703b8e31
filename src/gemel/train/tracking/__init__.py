"""What a run says of itself while it learns."""
