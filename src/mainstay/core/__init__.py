"""The vocabulary every room speaks: plain values and ports, no I/O.

Nothing here opens a socket, a file or the environment, and nothing here knows a vendor, a web framework or a
database. Rooms meet through these types and never through each other.
"""
