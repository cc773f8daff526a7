"""The admin API: everything that can be administered, under ``/api``, served by the control process.

One small module per noun; each route declares who may use it (see ``access``). Workers pass requests on over a Unix
socket and never import this package, which loads FastAPI and the database.
"""
