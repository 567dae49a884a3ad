//! SQL expressions of a load (`set`, `where`) over record batches, by DataFusion: no session, no catalog, no
//! scans.
