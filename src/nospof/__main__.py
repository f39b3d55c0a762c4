"""`python -m nospof`."""

from nospof.cli.main import main

main()
