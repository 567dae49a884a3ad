//! Tests on a real Kubernetes. They are ignored without one: `make e2e` starts a cluster and runs them.

mod definitions;
mod harness;
mod image;
mod table;
