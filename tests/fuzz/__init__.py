"""Fuzzing of every parser and encoder: ``python -m tests.fuzz --minutes 10``, or a few seconds of it in the tests."""
