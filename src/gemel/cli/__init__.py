"""The command line: noun, verb, and one library call each."""
