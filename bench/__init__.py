"""Every number that Affiant claims: one file, one bench, found by `python -m bench NAME`."""
