"""Finds what there is to render in a tree, and says why the rest is not rendered."""
