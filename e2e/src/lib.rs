//! What the tests on a real Kubernetes need: the cluster, namespaces that come and go, volumes, an S3 server that
//! pods reach, the operator as a process, and a look at the table from the host.
//!
//! `make e2e` starts a cluster (`e2e/cluster`) and runs the tests in its namespaces; with `KUBECONFIG` set they run
//! on that cluster, as far as they do without the nodes' disks and processes.

mod audit;
mod claim;
mod cluster;
mod deploy;
mod environment;
mod kubectl;
mod manifest;
mod namespace;
mod operator;
mod oracle;
mod part;
mod provisioner;
mod rows;
mod runtime;
mod second_node;
mod store;
pub mod wait;

pub use audit::{Audit, Call};
pub use claim::host_folder;
pub use cluster::Cluster;
pub use deploy::{RELEASE, rights};
pub use environment::{Environment, repository};
pub use kubectl::{Output, kubectl, kubectl_output};
pub use manifest::Manifest;
pub use namespace::{Namespace, Nodes, in_namespace};
pub use operator::{Operator, OperatorOptions};
pub use oracle::{TableRows, read_table};
pub use part::Part;
pub use rows::{Rows, rows};
pub use runtime::run;
pub use second_node::SecondNode;
pub use store::{ACCESS_KEY, SECRET_KEY, Store, secret};
