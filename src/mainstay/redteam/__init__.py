"""Attacks on a team's own route, over the wire its callers use, with guards and without, and how many of them succeed.

``seeds`` are what is tried (sentences of our own, as data), ``converters`` disguise it, ``strategies`` make a
conversation of it, ``plan`` draws the cases. ``caller`` asks a running gateway, ``judge`` and ``refusals`` say what
came of it without a network, ``journal`` keeps it, ``run`` conducts. ``figures`` counts, ``gate`` decides, and
``summary``, ``text``, ``junit``, ``sarif`` and ``page`` tell. Stands outside the gateway, as an attacker does: no rail
is asked what it thinks.
"""
