//! Command line of the virtual card.
fn main() {}
