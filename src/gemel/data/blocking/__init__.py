"""Which pairs of rows are worth comparing, proposed by what their fields share."""
