"""The drill: sixteen faults of upstreams, played against a configuration by a scripted provider, and judged.

``faults`` is the catalogue as data, ``wire`` and ``upstream`` play it, ``caller`` and ``reading`` are a caller that
takes nothing on trust, ``judge`` gives the verdicts, ``rewrite`` and ``gateway`` put a real gateway between the two on
a changed copy of the configuration, ``run`` conducts, ``card`` shows the score. Never touches a real provider, a real
key or the folder of the real gateway.
"""
