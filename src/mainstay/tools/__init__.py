"""Tools that the gateway runs for a model: whose they are, how they are reached, and the loop around them.

Wired through ``service``; ``UseTools`` is the step on the line. A route offers the tools of servers that the operator
named, to the callers that may use them; what a model calls is run here, within bounds, and the model is asked again.
A caller's own tools stay the caller's.
"""
