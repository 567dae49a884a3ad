//! `longshore-operator`.

fn main() {}
