"""Ingress, Gateway API and other routes."""
