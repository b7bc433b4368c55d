"""Connectivity tests: every edge, opened in the cluster as its caller opens it.

`edges` reads from the map which edges there are and what a pod of a test would meet, `manifests` writes the Jobs.
"""
