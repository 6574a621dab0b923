//! How many commands the watched cards of this process were sent, for fuzzers to tell.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clock::Clock;

static COMMANDS: AtomicU64 = AtomicU64::new(0);

/// A command was sent.
pub(crate) fn command() {
    COMMANDS.fetch_add(1, Ordering::Relaxed);
}

/// Says once a second on standard error how many commands came out of a second of processor time,
/// from the second call on: the first waits until the cards are furnished.
pub fn tell() {
    static SINCE: Mutex<Option<(Clock, u64, Instant)>> = Mutex::new(None);
    let Ok(mut since) = SINCE.lock() else { return };
    let now = COMMANDS.load(Ordering::Relaxed);
    let Some((clock, before, told)) = &mut *since else {
        *since = Some((Clock::now(), now, Instant::now()));
        return;
    };
    if told.elapsed() >= Duration::from_secs(1) {
        *told = Instant::now();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let commands = (now - *before) as f64;
        let speed = commands / clock.elapsed().as_secs_f64();
        eprintln!("stat::commands: {now}\nstat::commands_each_second: {speed:.0}");
    }
}
