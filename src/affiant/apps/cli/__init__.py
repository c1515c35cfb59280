"""The command line: parse, call, render. `affiant --help` imports no chain and no AI package."""

from affiant.apps.cli.main import main

__all__ = ["main"]
