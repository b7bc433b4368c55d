"""Writes a report in every format: pure functions from `Report` to text."""
