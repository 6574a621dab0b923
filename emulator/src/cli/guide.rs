//! What people are told while cards are served. Everything goes to standard error, but for the
//! line that names the port of a listening card, which programs read from standard output.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use hsm2_emulator::transport::Event;

/// Said when nobody answers at a vpcd address.
const INSTALL: &str = "    vpcd is the virtual reader of pcsc-lite. On Debian and Ubuntu:
        sudo apt install pcscd vsmartcard-vpcd
        sudo systemctl restart pcscd
    pcscd starts with the first program that asks for readers (opensc-tool -l) and may go to sleep
    after it; the card comes back with it.
    NOTE: as Debian ships it, vpcd accepts cards from the whole network while pcscd runs. To keep
    others out:
        sudo iptables -I INPUT ! -i lo -p tcp --dport 35963:35964 -j DROP";

/// Set once [`INSTALL`] was said.
static INSTALL_SAID: AtomicBool = AtomicBool::new(false);

/// Prints one line to standard error; a reader that went away is no reason to stop.
pub(super) fn say(text: impl std::fmt::Display) {
    // One write a line: the cards' threads share standard error.
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

pub(super) fn introduce() {
    say(format_args!(
        "hsm2-emulator {}: for testing and learning only, never for keys of any value",
        env!("CARGO_PKG_VERSION")
    ));
}

pub(super) fn warn_of_seed() {
    say(
        "WARNING: --seed makes every key of these cards predictable: THE KEYS ARE WORTHLESS. \
         Use it for tests that must repeat, for nothing else.",
    );
}

pub(super) fn warn_of_secrets_in_trace() {
    say("WARNING: the trace will hold PINs, key shares and plaintexts.");
}

pub(super) fn warn_of_open_port(card: usize, address: SocketAddr) {
    say(format_args!(
        "WARNING: card {card} listens on {address}: whoever reaches this machine there can use \
         the card. Prefer 127.0.0.1."
    ));
}

/// Tells a listening card's port, to people and to programs.
pub(super) fn announce_port(card: usize, address: SocketAddr) {
    let mut output = std::io::stdout();
    let _ = writeln!(output, "card {card} listening on {address}");
    let _ = output.flush();
}

/// Tells what happens at a card's endpoint.
pub(super) fn report(card: usize, place: &str, event: &Event<'_>) {
    match event {
        Event::Waiting(cause) => {
            say(format_args!(
                "card {card}: no vpcd at {place} ({cause}); waiting for it"
            ));
            if !INSTALL_SAID.swap(true, Ordering::Relaxed) {
                say(INSTALL);
            }
        }
        Event::Connected(peer) => say(format_args!("card {card}: in the reader at {peer}")),
        Event::Fault(cause) => say(format_args!(
            "card {card}: a command answered 6581, its changes were not kept: {cause}"
        )),
        Event::Ended(peer, reason) => {
            say(format_args!(
                "card {card}: out of the reader at {peer}: {reason}"
            ));
        }
    }
}
