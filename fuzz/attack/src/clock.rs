//! Processor time, so that what else the machine does is no matter.

use std::time::{Duration, Instant};

/// A moment in the processor time of this thread; in wall time where the system does not tell.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Instant,
    processor: Option<Duration>,
}

impl Clock {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok());
        Self {
            wall: Instant::now(),
            processor: nanoseconds.map(Duration::from_nanos),
        }
    }

    /// The time since.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        let now = Self::now();
        match (self.processor, now.processor) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => now.wall - self.wall,
        }
    }
}
