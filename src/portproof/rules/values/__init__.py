"""Other values of the same chart."""
