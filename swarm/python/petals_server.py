"""A Petals server, with the arguments of `petals.cli.run_server`."""

import petals_compat  # noqa: F401  (must come before petals)
from petals.cli.run_server import main

if __name__ == "__main__":
    main()
