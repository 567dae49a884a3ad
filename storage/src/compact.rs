//! Compaction: small segments of one tablet become one large one, without a change to any row (design §10).

mod plan;

pub use plan::{Candidates, Group, PlanOptions};
