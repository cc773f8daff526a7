"""Adapters of what must outlive a process: private files, the journal, the database.

Nothing is re-exported here, so that a gateway worker can take ``store.journal`` without paying for
SQLAlchemy.
"""
