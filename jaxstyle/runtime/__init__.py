"""Support of every program here: atomic writes, buckets, caches, compiling, interrupts, sharding, memory."""
