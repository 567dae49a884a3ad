//! Lists, reads, decodes, checks and loads S3 objects into tables: the code that a pod and the command
//! line run alike. Knows nothing of the Kubernetes API.

pub mod ask;
pub mod budget;
pub mod convert;
pub mod decode;
pub mod dry_run;
pub mod http;
pub mod infer;
pub mod load;
pub mod metrics;
pub mod pipe;
pub mod pipeline;
pub mod progress;
pub mod rows;
pub mod select;
pub mod source;
pub mod table;
