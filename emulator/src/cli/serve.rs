//! `serve`: cards in readers until somebody says stop.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use hsm2_emulator::card::Card;
use hsm2_emulator::hostile::PowerSwitch;
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::Profile;
use hsm2_emulator::signals::Signals;
use hsm2_emulator::store::{EphemeralStore, FileStore, Store};
use hsm2_emulator::trace::{Secrets, TraceFile, Traced};
use hsm2_emulator::transport::address::{Address, is_local};
use hsm2_emulator::transport::reader::{InReader, Persona};
use hsm2_emulator::transport::{self, Endpoint, Stop, Stopper, Timing, VirtualCard};
use tokio::sync::mpsc;

use super::plan::{self, Place, Purpose, randomness};
use super::trust::{self, Root};
use super::{Failure, ServeArgs, card, guide, hostile, replay};

/// One card and where it goes; `number` counts from 1.
struct Slot {
    number: usize,
    serial: String,
    card: Box<dyn VirtualCard>,
    place: Place,
    endpoint: Endpoint,
}

pub(super) fn run(args: &ServeArgs, given: Vec<Place>) -> Result<(), Failure> {
    let sources = sources(args, given.len())?;
    let places = plan::assign(sources.len(), given)?;
    let roots = trust::roots(&args.trust)?;
    let hostile = hostile::Plan::read(args)?;
    guide::introduce();
    if args.seed.is_some() {
        guide::warn_of_seed();
    }
    let trace = args.trace.as_deref().map(open_trace).transpose()?;
    if args.trace_secrets {
        guide::warn_of_secrets_in_trace();
    }
    for root in &roots {
        guide::say(format_args!("trusted root: {}", root.anchor.name()));
    }
    let mut slots = Vec::new();
    for (index, (source, place)) in sources.iter().zip(places).enumerate() {
        slots.push(Slot::prepare(
            index + 1,
            source,
            place,
            args,
            &roots,
            &hostile,
            trace.clone(),
        )?);
    }
    match &args.replay {
        Some(trace) => replay(trace, slots),
        None => serve_all(slots),
    }
}

/// Nobody is served; the endpoints are not used.
fn replay(trace: &Path, slots: Vec<Slot>) -> Result<(), Failure> {
    let cards = slots.into_iter().map(|slot| replay::Known {
        serial: slot.serial,
        card: slot.card,
    });
    replay::run(trace, &mut cards.collect::<Vec<_>>())
}

/// What a card is kept in.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    File(PathBuf),
    /// Created when it is missing.
    DefaultFile(PathBuf),
    Memory,
}

fn sources(args: &ServeArgs, addresses: usize) -> Result<Vec<Source>, Failure> {
    if args.ephemeral {
        return Ok((0..addresses.max(1)).map(|_| Source::Memory).collect());
    }
    if args.cards.is_empty() {
        return Ok(vec![Source::DefaultFile(plan::default_card()?)]);
    }
    let mut seen = Vec::new();
    for path in &args.cards {
        // A file that does not exist has its own error later.
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        if seen.contains(&real) {
            return Err(Failure::Usage(format!("{} is given twice", path.display())));
        }
        seen.push(real);
    }
    Ok(args.cards.iter().cloned().map(Source::File).collect())
}

impl Slot {
    fn prepare(
        number: usize,
        source: &Source,
        place: Place,
        args: &ServeArgs,
        roots: &[Root],
        hostile: &hostile::Plan,
        trace: Option<TraceFile>,
    ) -> Result<Self, Failure> {
        let power = PowerSwitch::new();
        let keep = |store| hostile.store(store, &power);
        let endpoint = endpoint(number, &place)?;
        let mut card = match source {
            Source::File(path) => open(path, number, args, keep)?,
            Source::DefaultFile(path) => {
                if !path.exists() {
                    make_default(path, args)?;
                }
                open(path, number, args, keep)?
            }
            Source::Memory => in_memory(number, args, keep)?,
        };
        trust::trust(&mut card, roots)?;
        let serial = card
            .memory()
            .device()
            .map(|device| device.serial())
            .unwrap_or_default();
        let kept = match source {
            Source::File(path) | Source::DefaultFile(path) => format!("kept in {}", path.display()),
            Source::Memory => "forgotten in the end".into(),
        };
        let at = match (&place, &endpoint) {
            _ if args.replay.is_some() => "for a replay".into(),
            (Place::Listen(_), Endpoint::Listen(listener)) => listener
                .local_addr()
                .map(|address| format!("listening on {address}"))
                .unwrap_or_default(),
            _ => format!("for the vpcd at {place}"),
        };
        guide::say(format_args!(
            "card {number}: {serial}, {}, {kept}, {at}",
            card.profile().description
        ));
        let card = hostile.card(card, number, args, power.clone())?;
        Ok(Self {
            number,
            card: in_reader(
                traced(card, serial.clone(), trace, args.trace_secrets),
                args.reader,
            ),
            serial,
            place,
            endpoint,
        })
    }
}

fn open_trace(path: &Path) -> Result<TraceFile, Failure> {
    TraceFile::append_to(path).map_err(|cause| Failure::System {
        what: format!("{}: the trace cannot be written", path.display()),
        cause,
    })
}

fn traced(
    card: Box<dyn VirtualCard>,
    serial: String,
    trace: Option<TraceFile>,
    secrets: bool,
) -> Box<dyn VirtualCard> {
    let Some(file) = trace else {
        return card;
    };
    let secrets = if secrets {
        Secrets::Written
    } else {
        Secrets::Blanked
    };
    Box::new(Traced::new(card, serial, file, secrets, |error| {
        guide::say(format_args!("WARNING: the trace is incomplete: {error}"));
    }))
}

fn in_reader(card: Box<dyn VirtualCard>, persona: Persona) -> Box<dyn VirtualCard> {
    match persona {
        Persona::Full => card,
        persona => Box::new(InReader::new(card, persona)),
    }
}

fn open(
    path: &Path,
    number: usize,
    args: &ServeArgs,
    keep: impl FnOnce(Box<dyn Store>) -> Box<dyn Store>,
) -> Result<Card, Failure> {
    let store = keep(Box::new(FileStore::open(path)?));
    let rng = randomness(args.seed.as_ref(), number, Purpose::Using)?;
    let card = Card::open(store, Box::new(rng)).map_err(|cause| Failure::of_card(path, cause))?;
    same_profile(path, card.profile(), args.profile)?;
    Ok(card)
}

fn same_profile(path: &Path, made: &Profile, asked: Option<&Profile>) -> Result<(), Failure> {
    match asked {
        Some(asked) if asked.name != made.name => Err(Failure::Usage(format!(
            "{} was created with profile {}, which cannot change; leave --profile {} away or \
             create another card",
            path.display(),
            made.name,
            asked.name
        ))),
        _ => Ok(()),
    }
}

fn make_default(path: &Path, args: &ServeArgs) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        make_folder(folder).map_err(|cause| Failure::System {
            what: format!("{}: could not be created", folder.display()),
            cause,
        })?;
    }
    card::make(path, args.profile, None, args.seed.as_ref())?;
    guide::say(format_args!("{}: created", path.display()));
    Ok(())
}

/// Makes a directory that only its owner may enter.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn in_memory(
    number: usize,
    args: &ServeArgs,
    keep: impl FnOnce(Box<dyn Store>) -> Box<dyn Store>,
) -> Result<Card, Failure> {
    let profile = card::profile_or_default(args.profile)?;
    let mut rng = randomness(args.seed.as_ref(), number, Purpose::Using)?;
    let serial = Serial::random(&mut rng);
    Card::personalise(
        profile,
        &serial,
        keep(Box::new(EphemeralStore::default())),
        Box::new(rng),
    )
    .map_err(|cause| Failure::Internal(cause.to_string()))
}

/// Resolves the address and, for a listening card, takes the port.
fn endpoint(number: usize, place: &Place) -> Result<Endpoint, Failure> {
    let resolve = |address: &Address| {
        address
            .resolve()
            .map_err(|error| Failure::Address(error.to_string()))
    };
    match place {
        Place::Vpcd(address) => Ok(Endpoint::Connect(resolve(address)?)),
        Place::Listen(address) => {
            let addresses = resolve(address)?;
            let failed = |cause| {
                Failure::Address(format!("card {number} cannot listen on {address}: {cause}"))
            };
            let listener = TcpListener::bind(addresses.as_slice()).map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            if !is_local(&[bound]) {
                guide::warn_of_open_port(number, bound);
            }
            Ok(Endpoint::Listen(listener))
        }
    }
}

fn serve_all(slots: Vec<Slot>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|cause| Failure::System {
            what: "no event loop".into(),
            cause,
        })?;
    // Before any port is announced: whoever has read the line may already send a signal.
    let mut signals = {
        let _entered = runtime.enter();
        Signals::new().map_err(|cause| Failure::System {
            what: "no signals".into(),
            cause,
        })?
    };
    let (stopper, stop) = Stopper::new();
    // Never written: it closes when the last card's thread is gone, even by a panic.
    let (running, mut all_gone) = mpsc::channel::<()>(1);
    let mut threads = Vec::new();
    for slot in slots {
        if let Endpoint::Listen(listener) = &slot.endpoint
            && let Ok(address) = listener.local_addr()
        {
            guide::announce_port(slot.number, address);
        }
        threads.push((slot.number, start(slot, stop.clone(), running.clone())?));
    }
    drop(running);
    runtime.block_on(async {
        tokio::select! {
            _ = all_gone.recv() => return,
            () = signals.next() => stopper.stop(),
        }
        tokio::select! {
            _ = all_gone.recv() => {}
            // A second signal does not wait for a command that takes long.
            () = signals.next() => std::process::exit(ABANDONED),
        }
    });
    let mut outcome = Ok(());
    for (number, thread) in threads {
        let error = match thread.join() {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_panic) => "its thread failed".into(),
        };
        outcome = Err(Failure::Internal(format!("card {number}: {error}")));
    }
    outcome
}

/// Exit code after a second signal: a command was not finished.
const ABANDONED: i32 = 1;

fn start(
    slot: Slot,
    stop: Stop,
    running: mpsc::Sender<()>,
) -> Result<JoinHandle<std::io::Result<()>>, Failure> {
    let Slot {
        number,
        mut card,
        place,
        endpoint,
        ..
    } = slot;
    std::thread::Builder::new()
        .name(format!("card {number}"))
        .spawn(move || {
            let _running = running;
            let place = place.to_string();
            let observer = |event: transport::Event<'_>| guide::report(number, &place, &event);
            transport::serve(&mut *card, endpoint, Timing::default(), stop, &observer)
        })
        .map_err(|cause| Failure::System {
            what: "no thread for a card".into(),
            cause,
        })
}
