"""Terraform without a network: the real one, from a Python package, with a double of the provider."""
