"""Looking at releases and at what is served: reports."""
