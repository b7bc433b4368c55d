"""A finding, the commit that brought it, and what is left to do, as a root-cause document that people complete."""
