"""Turns a target and a tree into documents, with the real helm and kustomize."""
