//! Drives the stations: order, batches, cache.
