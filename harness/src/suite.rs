//! Running scenarios: the bench they work at, the cards they start from, the runner.

pub mod bench;
pub mod choice;
pub mod dice;
pub mod fixture;
pub mod hand;
pub mod runner;
pub mod stock;
pub mod wire;

#[cfg(test)]
mod mutation;
#[cfg(test)]
mod tests;
