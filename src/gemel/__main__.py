"""`python -m gemel` does what `gemel` does."""

from gemel.cli.main import main

main()
