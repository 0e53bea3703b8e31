"""What is measured about a release and kept in it: the schema, and what fills each part."""
