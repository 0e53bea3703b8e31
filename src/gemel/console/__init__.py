"""Web pages for people, over what the service answers."""
