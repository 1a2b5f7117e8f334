"""What any program here stands on: atomic writes, buckets, caches, compiling, interrupts, sharding, memory."""
