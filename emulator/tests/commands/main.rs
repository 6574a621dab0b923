//! What each command answers, in each state: one module for each command, as in `src/command`.

mod initialize_device;
mod support;
