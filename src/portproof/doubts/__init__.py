"""What speaks against calling a failure to render a mistake of the repository."""
