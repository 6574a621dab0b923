//! A wish that this process stop: work on a card ends where nothing of it is left on the card.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hsm2_emulator::signals::Signals;

use crate::transport::TransportError;

/// Exit code after a second signal, that of a shell for a program that Ctrl-C ended.
pub const AT_ONCE: i32 = 130;

/// Whether somebody asked this process to stop. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<Wish>);

#[derive(Debug, Default)]
struct Wish {
    listening: AtomicBool,
    wished: AtomicBool,
}

impl Interrupt {
    /// From now on the first Ctrl-C, SIGTERM or SIGHUP is a wish, of which `tell` may speak; a second
    /// one ends the process at once, with [`AT_ONCE`]. Called again it changes nothing.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn listen(&self, tell: impl FnOnce() + Send + 'static) -> io::Result<()> {
        if self.0.listening.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let mut signals = {
            let _entered = runtime.enter();
            Signals::new()?
        };
        let wish = Arc::clone(&self.0);
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                runtime.block_on(async {
                    signals.next().await;
                    wish.wished.store(true, Ordering::Relaxed);
                    tell();
                    signals.next().await;
                    std::process::exit(AT_ONCE);
                });
            })?;
        Ok(())
    }

    /// To be called where work can end.
    ///
    /// # Errors
    /// [`TransportError::Interrupted`] once somebody wished it.
    pub fn check(&self) -> Result<(), TransportError> {
        if self.0.wished.load(Ordering::Relaxed) {
            return Err(TransportError::Interrupted);
        }
        Ok(())
    }
}
