"""The hub's store: the only room that speaks SQL. One module per subject, every function takes the transaction."""

from hub_daemon.store.db import DatabaseError, IntegrityError, Row, Store, StoreRefused, Tx

__all__ = ["DatabaseError", "IntegrityError", "Row", "Store", "StoreRefused", "Tx"]
