"""Hypothesis profiles: what a commit can afford, what thousands of mutants can, and what an evening can."""

from hypothesis import HealthCheck, settings

# A machine that is busy with something else makes neither an example nor its draw wrong.
_quick = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("default", _quick)
settings.register_profile("ci", _quick, derandomize=True, database=None, print_blob=True)
settings.register_profile("mutate", _quick, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
settings.register_profile("thorough", _quick, max_examples=5000)
