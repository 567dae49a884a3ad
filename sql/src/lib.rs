//! Queries of the command line through DataFusion: tables, files in place and the history.
