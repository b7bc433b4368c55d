"""Pods: containers, probes, host ports."""
