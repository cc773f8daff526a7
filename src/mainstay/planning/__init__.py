"""What it would take: will a model fit, how fast is it, what does a million tokens cost, how many replicas does a
traffic need, and is it better bought or built.

Pure functions over ``core``'s tables of devices and models; numbers come with intervals, formulas with their sources.
Knows no server and no network: the command (``cli/plan``) reads files and records and hands values in.
"""
