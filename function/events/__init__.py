"""How we speak CloudEvents."""
