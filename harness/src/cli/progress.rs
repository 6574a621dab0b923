//! A percentage on standard error while a key is derived; silent when that is no terminal.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

#[derive(Debug)]
pub(super) struct Progress {
    label: String,
    total: u64,
    shown: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    done: u64,
    percent: Option<u64>,
}

impl Progress {
    pub(super) fn new(label: impl Into<String>, total: u64) -> Self {
        let shown = std::io::stderr().is_terminal();
        Self {
            label: label.into(),
            total: total.max(1),
            shown,
            state: Mutex::default(),
        }
    }

    pub(super) fn add(&self, steps: u64) {
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        state.done += steps;
        let percent = 100 * state.done / self.total;
        if self.shown && Some(percent) != state.percent {
            state.percent = Some(percent);
            let _ = write!(std::io::stderr(), "\r{} {} %", self.label, percent);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
