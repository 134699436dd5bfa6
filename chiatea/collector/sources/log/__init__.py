"""Chia's debug.log: followed, judged line by line, and read many lines at a time where it is long."""
