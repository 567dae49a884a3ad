//! Power cuts: workloads are recorded call by call on a volume in memory, then every state that a cut at any
//! of the calls could leave is made and looked at as a process would that starts afterwards.
//!
//! `POWER=n` replays n random states of each cut point that has too many to replay them all (200 without it).
//! `POWER_WITHOUT=<id of a place>` replays as if the code had no fsync there: the tests must then fail.

mod check;
mod cut;
mod cuts;
mod faults;
mod ledger;
mod overtaken;
mod process;
mod promise;
mod recording;
mod replay;
mod sites;
mod support;
mod volume;
mod workloads;
