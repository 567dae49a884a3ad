//! What one writer does when another was faster: every pair of the conflict matrix in two processes, then
//! each kind of commit by itself.

mod child;
mod columns;
mod compactions;
mod crashes;
mod delayed;
mod lost_replies;
mod matrix;
mod oracle;
mod overwrites;
mod replay;
mod setting;
mod stopped;
