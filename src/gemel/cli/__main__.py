"""`python -m gemel.cli` does what `gemel` does."""

from gemel.cli.main import main

main()
