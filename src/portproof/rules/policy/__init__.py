"""Network policies and authorization."""
