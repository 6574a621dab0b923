//! The card's side of the vpcd protocol: vpcd is the part of vsmartcard that looks like a reader
//! to pcscd and to which virtual cards connect.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use super::frame::{Inbox, Message, framed};
use super::{Ended, Endpoint, Event, Interruption, Stop, Timing, VirtualCard};

/// Port of vpcd's first reader; the second has the next number, and so on.
pub const DEFAULT_PORT: u16 = 35963;

/// Pause after the operating system refused to hand over a connection.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// How long a card watches for the next command before its thread goes to sleep.
const LOOK_OUT: std::time::Duration = std::time::Duration::from_micros(50);

/// Serves a card at an endpoint until it is told to stop.
///
/// # Errors
///
/// When a listening socket cannot be used with the event loop.
pub async fn run(
    card: &mut dyn VirtualCard,
    endpoint: Endpoint,
    timing: Timing,
    mut stop: Stop,
    observer: &dyn Fn(Event<'_>),
) -> io::Result<()> {
    match endpoint {
        Endpoint::Connect(addresses) => {
            keep_connected(card, &addresses, timing, &mut stop, observer).await;
        }
        Endpoint::Listen(listener) => {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            serve_in_turn(card, &listener, timing, &mut stop, observer).await;
        }
    }
    Ok(())
}

async fn keep_connected(
    card: &mut dyn VirtualCard,
    addresses: &[SocketAddr],
    timing: Timing,
    stop: &mut Stop,
    observer: &dyn Fn(Event<'_>),
) {
    let mut pause = timing.shortest_pause;
    let mut told = false;
    loop {
        let attempt = tokio::select! {
            biased;
            () = stop.requested() => return,
            attempt = connect(addresses) => attempt,
        };
        match attempt {
            Ok((stream, peer)) => {
                let since = Instant::now();
                if matches!(
                    converse(card, stream, peer, timing, stop, observer).await,
                    Ended::Stopped
                ) {
                    return;
                }
                told = false;
                // A vpcd that hangs up at once is not to be called again without a pause.
                if since.elapsed() > timing.longest_pause {
                    pause = timing.shortest_pause;
                }
            }
            Err(error) if !told => {
                told = true;
                observer(Event::Waiting(&error));
            }
            Err(_) => {}
        }
        tokio::select! {
            biased;
            () = stop.requested() => return,
            () = sleep(pause) => pause = (pause * 2).min(timing.longest_pause),
        }
    }
}

async fn connect(addresses: &[SocketAddr]) -> io::Result<(TcpStream, SocketAddr)> {
    let stream = TcpStream::connect(addresses).await?;
    let peer = stream.peer_addr()?;
    // vpcd's port is among those that the system hands out to callers. While nobody listens there,
    // a call can be given that very port and reach itself.
    if stream.local_addr()? == peer {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok((stream, peer))
}

async fn serve_in_turn(
    card: &mut dyn VirtualCard,
    listener: &TcpListener,
    timing: Timing,
    stop: &mut Stop,
    observer: &dyn Fn(Event<'_>),
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.requested() => return,
            accepted = listener.accept() => accepted,
        };
        let ended = match accepted {
            Ok((stream, peer)) => converse(card, stream, peer, timing, stop, observer).await,
            // The caller gave up, or there are no file descriptors left at the moment.
            Err(_) => {
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if matches!(ended, Ended::Stopped) {
            return;
        }
    }
}

/// Serves one connection; the card has no power before and after it.
async fn converse(
    card: &mut dyn VirtualCard,
    mut stream: TcpStream,
    peer: SocketAddr,
    timing: Timing,
    stop: &mut Stop,
    observer: &dyn Fn(Event<'_>),
) -> Ended {
    observer(Event::Connected(peer));
    let ended = tokio::select! {
        biased;
        ended = exchange(card, &mut stream, timing, observer) => ended,
        () = stop.requested() => Ended::Stopped,
    };
    card.power_off();
    observer(Event::Ended(peer, &ended));
    ended
}

/// Answers messages until the connection ends; it is only interrupted while it waits.
async fn exchange(
    card: &mut dyn VirtualCard,
    stream: &mut TcpStream,
    timing: Timing,
    observer: &dyn Fn(Event<'_>),
) -> Ended {
    if let Err(error) = stream.set_nodelay(true) {
        return error.into();
    }
    let mut inbox = Inbox::new();
    loop {
        while let Some(payload) = inbox.payload() {
            let answer = answer(card, payload);
            if let Some(fault) = card.take_fault() {
                observer(Event::Fault(&fault));
            }
            inbox.consume();
            let answer = match card.take_interruption() {
                None => answer,
                Some(Interruption::Silence) => None,
                Some(Interruption::Removal) => return Ended::Removed,
            };
            if let Some(frame) = answer
                && let Err(ended) = send(stream, &frame, timing).await
            {
                return ended;
            }
        }
        if let Err(ended) = receive(stream, &mut inbox, timing).await {
            return ended;
        }
    }
}

/// Does what a message says; the answer is a complete frame.
fn answer(card: &mut dyn VirtualCard, payload: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    match Message::of(payload) {
        Message::PowerOff => card.power_off(),
        Message::PowerOn => card.power_on(),
        Message::Reset => card.reset(),
        Message::GetAtr => return Some(framed(card.atr())),
        Message::Command(command) => {
            let response = Zeroizing::new(card.transmit(command));
            return Some(framed(&response));
        }
        Message::Nothing => {}
    }
    None
}

/// Waits for the next frame: for ever for its first byte, for a limited time for the rest.
async fn receive(stream: &mut TcpStream, inbox: &mut Inbox, timing: Timing) -> Result<(), Ended> {
    if inbox.is_empty() && !look_out(stream, inbox).await? {
        read_some(stream, inbox).await?;
    }
    if inbox.payload().is_some() {
        return Ok(());
    }
    acknowledge_now(stream);
    let rest = async {
        while inbox.payload().is_none() {
            read_some(stream, inbox).await?;
        }
        Ok(())
    };
    timeout(timing.stall, rest)
        .await
        .unwrap_or(Err(Ended::Stalled))
}

/// Watches for the next bytes for a moment without going to sleep, and tells whether some came: a
/// program that asks again at once then need not wait until this thread has been woken.
async fn look_out(stream: &TcpStream, inbox: &mut Inbox) -> Result<bool, Ended> {
    let start = Instant::now();
    while start.elapsed() < LOOK_OUT {
        match stream.try_read(inbox.room()) {
            Ok(0) => return Err(Ended::Closed),
            Ok(count) => {
                inbox.received(count);
                return Ok(true);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        // The program that is to ask may wait for this very processor.
        std::thread::yield_now();
        tokio::task::yield_now().await;
    }
    Ok(false)
}

/// vpcd writes a length and its payload one after the other, and its socket holds the payload back
/// until the length is acknowledged, which Linux puts off for 40 ms. This sends the acknowledgement
/// that is due; where it cannot be had, every command takes that much longer.
fn acknowledge_now(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    drop(stream.set_quickack(true));
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

async fn read_some(stream: &mut TcpStream, inbox: &mut Inbox) -> Result<(), Ended> {
    match stream.read(inbox.room()).await? {
        0 => Err(Ended::Closed),
        count => {
            inbox.received(count);
            Ok(())
        }
    }
}

async fn send(stream: &mut TcpStream, frame: &[u8], timing: Timing) -> Result<(), Ended> {
    // Almost always the socket takes the whole frame at once, and no timer is needed.
    let sent = match stream.try_write(frame) {
        Ok(sent) => sent,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error.into()),
    };
    match frame.get(sent..) {
        None | Some([]) => Ok(()),
        Some(rest) => Ok(timeout(timing.stall, stream.write_all(rest))
            .await
            .map_err(|_| Ended::Stalled)??),
    }
}
