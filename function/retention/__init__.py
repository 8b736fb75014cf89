"""Which manual backups have expired: a policy file, the rules that keep backups, and the plan they make."""
