"""How much the property tests try: `make test` stays quick, `make fuzz` searches long."""

from hypothesis import HealthCheck, settings

settings.register_profile("quick", deadline=None)
settings.register_profile("long", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quick")
