"""The hub's store: the only room that speaks SQL. One module per subject, every function takes the transaction."""

from hub_daemon.store.db import DatabaseError, IntegrityError, OperationalError, Row, Store, StoreRefused, Tx

__all__ = ["DatabaseError", "IntegrityError", "OperationalError", "Row", "Store", "StoreRefused", "Tx"]
