//! The operator: one controller a kind, each in five steps.
