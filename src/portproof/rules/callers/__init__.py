"""Callers and webhooks."""
