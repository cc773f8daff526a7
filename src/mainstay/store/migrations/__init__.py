"""The history of the tables, one file per revision under ``versions``; ``store.sql.migrate`` applies them.

Revisions spell out their columns and never import a room: they must mean the same when the rooms have moved
on.
"""
