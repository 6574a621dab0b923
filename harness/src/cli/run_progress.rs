//! What a run says while it goes on.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::print;
use crate::report::Entry;
use crate::suite::runner::Event;

/// Where a run is: one line that is rewritten on a terminal, a line now and then in a log.
pub(super) struct Progress {
    quiet: bool,
    pub(super) announces: bool,
    terminal: bool,
    begun: Instant,
    shown: Option<Instant>,
    total: usize,
    done: usize,
    bad: usize,
    current: String,
}

/// How often a terminal shows where the run is.
const REDRAW: Duration = Duration::from_millis(50);
/// How often a log shows where the run is.
const LOG: Duration = Duration::from_secs(5);

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            announces: !quiet,
            terminal: std::io::stderr().is_terminal(),
            begun: Instant::now(),
            shown: None,
            total: 0,
            done: 0,
            bad: 0,
            current: String::new(),
        }
    }

    pub(super) fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::Tell(what) => eprintln!("{what}"),
            Event::Ready(identity, profile, total) => {
                self.total = *total;
                if self.announces {
                    let kind = if identity.is_virtual { "virtual " } else { "" };
                    print(&format!(
                        "{kind}device {}, firmware {}, {}\nprofile {}: {}\n{total} scenarios\n",
                        identity.serial,
                        identity.version,
                        identity.place,
                        profile.name,
                        profile.title,
                    ));
                }
                // Cards are prepared before the first scenario begins.
                self.current = "preparing the cards".into();
                self.draw();
            }
            Event::Begun(scenario) => {
                self.current.clone_from(&scenario.id);
                self.draw();
            }
            Event::Ended(entry) => self.ended(entry),
        }
    }

    fn ended(&mut self, entry: &Entry) {
        self.done += 1;
        if entry.verdict.is_bad() {
            self.bad += 1;
            self.clear();
            // At once: whoever watches a long run need not wait for its end.
            eprintln!("{}: {}", entry.verdict.word(), entry.id);
        }
        self.draw();
    }

    fn draw(&mut self) {
        if self.quiet {
            return;
        }
        let pause = if self.terminal { REDRAW } else { LOG };
        let since = self.shown.unwrap_or(self.begun).elapsed();
        if self.shown.is_some() && since < pause || self.shown.is_none() && !self.terminal {
            self.shown.get_or_insert(self.begun);
            return;
        }
        self.shown = Some(Instant::now());
        let seconds = self.begun.elapsed().as_secs_f64();
        let line = format!(
            "{}/{} {} {seconds:.1} s",
            self.done, self.total, self.current
        );
        let mut out = std::io::stderr();
        let _ = if self.terminal {
            write!(out, "\r\x1b[K{line}")
        } else {
            writeln!(out, "{line}")
        };
        let _ = out.flush();
    }

    pub(super) fn clear(&self) {
        if self.terminal && !self.quiet {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
