//! Verify: a sound table is found sound, and each kind of damage is found.

mod damage;
mod full;
mod support;
