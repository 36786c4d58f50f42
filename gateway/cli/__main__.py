"""`python -m gateway.cli`: the same as `efile`."""

from gateway.cli.main import main

main()
