"""Files that callers leave with the gateway, and batches: durable jobs that work through a file of requests.

Workers take files and batches in (``desk``), the control process works through them (``jobs``).
"""
