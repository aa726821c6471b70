"""The record kinds: who, what an author made, what staff said, what a device may hold. `records.cddl` has them all."""
