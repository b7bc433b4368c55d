"""Which images the repository builds, and what their Dockerfiles say. Nothing is run."""
