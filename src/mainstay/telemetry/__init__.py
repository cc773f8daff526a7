"""The record of every call: opened first, closed last, journalled, loaded, asked for; and the metrics beside
it.

Nothing is re-exported here, so that a gateway worker can take ``stage`` without paying for SQLAlchemy.
"""
