//! A real Kubernetes for the tests, and what they share.
