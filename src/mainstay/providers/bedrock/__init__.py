"""Amazon Bedrock's Converse wire: requests written, answers read from JSON or AWS's binary event stream, and SigV4.

No caller speaks it: every request is translated from its :class:`~mainstay.core.prompt.Prompt`. Its modules are
imported one by one, so that reading a configuration does not load a codec that it may not use.
"""
