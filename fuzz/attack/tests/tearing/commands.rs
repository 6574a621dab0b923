//! Every command that writes, in each of its forms.

use hsm2_attack::apdu::{
    SELECT, SO_PIN, USER_PIN, delete, extended, generate_ec, generate_rsa, initialize, log_in,
    short, update,
};
use hsm2_attack::bench::Bench;
use hsm2_attack::fixture::{self, Papers};
use hsm2_attack::sm::{Channel, opening};
use hsm2_emulator::apdu::CommandApdu;
use hsm2_emulator::crypto::Curve;
use hsm2_emulator::pin::PinReference::{self, SecurityOfficer, User};
use hsm2_emulator::snapshot::Snapshot;

/// Instructions that write nothing: MANAGE SECURITY ENVIRONMENT, VERIFY CERTIFICATE, ENUMERATE
/// OBJECTS, EXTERNAL AUTHENTICATE, GET CHALLENGE, GENERAL AUTHENTICATE, READ BINARY.
pub(crate) const READERS: &[u8] = &[0x22, 0x2A, 0x58, 0x82, 0x84, 0x86, 0xB0, 0xB1];

/// Commands whose P1 says what they do. Each P1 that the card knows is torn, or it is in
/// [`READING_FORMS`].
pub(crate) const BY_P1: &[u8] = &[0x2C, 0x50, 0x52, 0x54, 0x5A, 0xE4];

/// Commands whose P2 says on which PIN they act; all are torn.
pub(crate) const BY_P2: &[u8] = &[0x20, 0x24];

/// Instruction and P1 of what writes nothing: the name of a custodian.
pub(crate) const READING_FORMS: &[(u8, u8)] = &[(0x54, 0x02)];

/// What shows the state of a card to anybody.
pub(crate) const QUESTIONS: &[&[u8]] = &[
    SELECT,
    &[0x00, 0x20, 0x00, 0x81],
    &[0x00, 0x20, 0x00, 0x88],
    &[0x80, 0x50, 0x00, 0x00, 0x00],
    &[0x80, 0x58, 0x00, 0x00, 0x00],
    &[0x80, 0x52, 0x00, 0x00, 0x00],
    &[0x80, 0x52, 0x00, 0x01, 0x00],
    &[0x80, 0x52, 0x00, 0x02, 0x00],
    &[0x80, 0x52, 0x00, 0x03, 0x00],
    &[0x80, 0x54, 0x00, 0x00, 0x00],
    &[0x00, 0xA4, 0x00, 0x00, 0x02, 0xCC, 0x02, 0x00],
    &[0x00, 0xA4, 0x00, 0x00, 0x02, 0xCC, 0x03, 0x00],
];

/// What the command does to the card.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effect {
    /// One commit.
    Once,
    /// Tries of a PIN before the command and after each of its commits.
    Tries(PinReference, &'static [u8]),
    /// One use less of this key, in one commit.
    Use(u8),
}

/// One command in one situation.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The card before it.
    pub(crate) card: fn(&Stage) -> Bench,
    pub(crate) command: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) effect: Effect,
}

/// Cards to start from.
pub(crate) struct Stage {
    furnished: Snapshot,
    quorum: Snapshot,
    virgin: Snapshot,
    pub(crate) papers: Papers,
    /// An RSA key and an AES key under the DKEK.
    blobs: [Vec<u8>; 2],
}

impl Stage {
    pub(crate) fn new() -> Self {
        let ([first, _], papers) = fixture::furnished();
        let furnished = first.card.snapshot();
        let mut maker = Bench::from_snapshot(&furnished, [0x33; 32]);
        let domain = [0x92, 1, fixture::DKEK];
        maker.ok(&generate_rsa(0x40, 1024, &domain));
        let may_leave = [&[0x91, 2, 0x10, 0x92], &domain[..]].concat();
        maker.ok(&extended(0x00, 0x48, 0x41, 0xB2, &may_leave));
        let blobs = [0x40, 0x41].map(|key| maker.ok(&fixture::wrap(key)));
        Self {
            blobs,
            furnished,
            quorum: fixture::with_quorum(&papers).card.snapshot(),
            virgin: Bench::virgin(9).card.snapshot(),
            papers,
        }
    }
}

fn logged_in(stage: &Stage) -> Bench {
    Bench::from_snapshot(&stage.furnished, [0x33; 32])
}

fn waiting_for_custodian(stage: &Stage) -> Bench {
    Bench::from_snapshot(&stage.quorum, [0x33; 32])
}

fn virgin(stage: &Stage) -> Bench {
    Bench::from_snapshot(&stage.virgin, [0x33; 32])
}

/// One wrong presentation of each PIN behind it.
fn mistrusted(stage: &Stage) -> Bench {
    let mut bench = logged_in(stage);
    assert_eq!(bench.send(&wrong(0x81, 6)).status, 0x63C2);
    assert_eq!(bench.send(&wrong(0x88, 8)).status, 0x63CE);
    bench
}

fn so_verified(stage: &Stage) -> Bench {
    let mut bench = mistrusted(stage);
    bench.ok(&short(0x00, 0x20, 0x00, 0x88, SO_PIN));
    bench
}

fn trusting(stage: &Stage) -> Bench {
    let mut bench = logged_in(stage);
    fixture::trust(&mut bench, &stage.papers, 0);
    bench
}

fn trusting_peer(stage: &Stage) -> Bench {
    let mut bench = logged_in(stage);
    fixture::trust(&mut bench, &stage.papers, 1);
    bench
}

/// A card whose session PINs are kept in its memory.
fn with_session_pins(_: &Stage) -> Bench {
    let mut bench = Bench::virgin(4);
    bench.ok(&initialize(0x000D, &[]));
    bench
}

/// That card with a session PIN, logged out, and one wrong presentation behind it; and the PIN.
fn session_pin(stage: &Stage) -> (Bench, Vec<u8>) {
    let mut bench = with_session_pins(stage);
    let pin = bench.ok(&extended(0x80, 0x5A, 0x01, 0x81, &[]));
    bench.ok(SELECT);
    assert_eq!(bench.send(&wrong(0x81, 6)).status, 0x63C2);
    (bench, pin)
}

/// A card whose one custodian may be replaced: by the one of the papers, whose device it trusts.
fn with_custodian(stage: &Stage) -> Bench {
    let mut bench = Bench::virgin(3);
    bench.ok(&initialize(0x0009, &[0x93, 2, 2, 1]));
    fixture::trust(&mut bench, &stage.papers, 1);
    bench.ok(&extended(0x80, 0x54, 0, 0, &stage.papers.exchange[1]));
    bench
}

/// A card without the KEK that it is about to agree on, by a key with a counter.
fn counted_exchange(stage: &Stage) -> Bench {
    let mut bench = logged_in(stage);
    bench.ok(&fixture::delete_key(fixture::EXCHANGE_KEY));
    let agrees = [0x91, 1, 0x84, 0x92, 1, fixture::XKEK];
    bench.ok(&generate_ec(
        fixture::EXCHANGE_KEY,
        fixture::CURVE,
        &stage.papers.names[0],
        &[&counter()[..], &agrees].concat(),
    ));
    bench.ok(&extended(0x80, 0x52, 0x04, fixture::XKEK, &[]));
    fixture::trust(&mut bench, &stage.papers, 1);
    bench
}

/// Object 90 with [`fixture::USES`].
fn counter() -> Vec<u8> {
    [&[0x90, 4][..], &fixture::USES.to_be_bytes()].concat()
}

/// A card with an open channel, through which the user logged in; and the channel.
fn in_channel(stage: &Stage) -> (Bench, Channel) {
    let mut bench = logged_in(stage);
    bench.ok(SELECT);
    let [set, authenticate] = opening();
    bench.ok(&set);
    let response = bench.ok(&authenticate);
    let data = CommandApdu::parse(&authenticate).unwrap().data.to_vec();
    let device = bench.card.memory().device().unwrap().clone();
    let mut channel = Channel::agreed(&device, &data, &response).unwrap();
    let log_in = log_in();
    let answer = bench.send(&channel.seal_command(&log_in).unwrap());
    assert_eq!(
        channel.open_response(log_in[1], &answer).unwrap().status,
        0x9000
    );
    (bench, channel)
}

/// A card with a key to derive from.
fn with_parent_key(stage: &Stage) -> Bench {
    with_parent(stage, &[])
}

fn with_counted_parent_key(stage: &Stage) -> Bench {
    with_parent(stage, &counter())
}

fn with_parent(stage: &Stage, counter: &[u8]) -> Bench {
    let mut bench = logged_in(stage);
    let may_derive = [counter, &[0x91, 1, 0x98]].concat();
    bench.ok(&generate_ec(
        0x30,
        Curve::Secp256r1,
        b"ZZKEY00030",
        &may_derive,
    ));
    bench
}

fn scratch_filled(stage: &Stage) -> Bench {
    let mut bench = logged_in(stage);
    bench.ok(&update(0x2F10, 0, &stage.papers.blob));
    bench
}

fn file_selected(stage: &Stage) -> Bench {
    let mut bench = logged_in(stage);
    bench.ok(&[0x00, 0xA4, 0x00, 0x0C, 0x02, 0xCA, 0x01]);
    bench
}

fn wrong(reference: u8, length: usize) -> Vec<u8> {
    short(0x00, 0x20, 0x00, reference, &vec![b'0'; length])
}

/// Every row; the test in `tearing.rs` holds them against the table of commands.
pub(crate) fn rows(stage: &Stage) -> Vec<Row> {
    let row = |name, card, command, status, effect| Row {
        name,
        card,
        command,
        status,
        effect,
    };
    let done = |name, card, command| row(name, card, command, 0x9000, Effect::Once);
    let change = |old: &[u8], new: &[u8]| short(0x00, 0x24, 0x00, 0x81, &[old, new].concat());
    let uses = |name, command, key| row(name, logged_in, command, 0x9000, Effect::Use(key));
    let p256 = Curve::Secp256r1;
    let papers = &stage.papers;
    vec![
        row(
            "VERIFY, wrong",
            logged_in,
            wrong(0x81, 6),
            0x63C2,
            Effect::Tries(User, &[3, 2]),
        ),
        row(
            "VERIFY, right",
            mistrusted,
            log_in(),
            0x9000,
            Effect::Tries(User, &[2, 1, 3]),
        ),
        row(
            "VERIFY SO-PIN, wrong",
            logged_in,
            wrong(0x88, 8),
            0x63CE,
            Effect::Tries(SecurityOfficer, &[15, 14]),
        ),
        row(
            "VERIFY SO-PIN, right",
            mistrusted,
            short(0x00, 0x20, 0x00, 0x88, SO_PIN),
            0x9000,
            Effect::Tries(SecurityOfficer, &[14, 13, 15]),
        ),
        row(
            "CHANGE REFERENCE DATA",
            mistrusted,
            change(USER_PIN, b"135790"),
            0x9000,
            Effect::Tries(User, &[2, 1, 3]),
        ),
        row(
            "CHANGE REFERENCE DATA of the SO-PIN",
            mistrusted,
            short(0x00, 0x24, 0x00, 0x88, &[SO_PIN, b"86420975"].concat()),
            0x9000,
            Effect::Tries(SecurityOfficer, &[14, 13, 15]),
        ),
        row(
            "VERIFY, session PIN",
            |stage| session_pin(stage).0,
            short(0x00, 0x20, 0x00, 0x81, &session_pin(stage).1),
            0x9000,
            Effect::Tries(User, &[2, 1, 2]),
        ),
        row(
            "CHANGE REFERENCE DATA, wrong old PIN",
            mistrusted,
            change(b"000000", b"135790"),
            0x63C1,
            Effect::Tries(User, &[2, 1]),
        ),
        row(
            "CHANGE REFERENCE DATA, new PIN too long",
            mistrusted,
            change(USER_PIN, &[b'1'; 20]),
            0x6A80,
            Effect::Tries(User, &[2, 1, 3]),
        ),
        row(
            "RESET RETRY COUNTER, SO-PIN and new PIN",
            mistrusted,
            short(0x00, 0x2C, 0x00, 0x81, &[SO_PIN, b"135790"].concat()),
            0x9000,
            Effect::Tries(User, &[2, 2, 3]),
        ),
        row(
            "RESET RETRY COUNTER, SO-PIN",
            mistrusted,
            short(0x00, 0x2C, 0x01, 0x81, SO_PIN),
            0x9000,
            Effect::Tries(User, &[2, 2, 3]),
        ),
        row(
            "RESET RETRY COUNTER, new PIN",
            so_verified,
            short(0x00, 0x2C, 0x02, 0x81, b"135790"),
            0x9000,
            Effect::Tries(User, &[2, 3]),
        ),
        row(
            "RESET RETRY COUNTER, wrong SO-PIN",
            mistrusted,
            short(0x00, 0x2C, 0x01, 0x81, b"00000000"),
            0x63CD,
            Effect::Tries(SecurityOfficer, &[14, 13]),
        ),
        row(
            "RESET RETRY COUNTER in the SO's session",
            so_verified,
            short(0x00, 0x2C, 0x03, 0x81, &[]),
            0x9000,
            Effect::Tries(User, &[2, 3]),
        ),
        done(
            "GENERATE ASYMMETRIC KEY PAIR, EC",
            logged_in,
            generate_ec(0x20, p256, b"ZZKEY00020", &[]),
        ),
        done(
            "GENERATE ASYMMETRIC KEY PAIR, RSA",
            logged_in,
            generate_rsa(0x21, 1024, &[]),
        ),
        done(
            "GENERATE SYMMETRIC KEY",
            logged_in,
            extended(0x00, 0x48, 0x22, 0xB2, &[]),
        ),
        done("INITIALIZE DEVICE, first", virgin, initialize(1, &[])),
        done(
            "INITIALIZE DEVICE, with custodians",
            virgin,
            initialize(1, &[0x93, 2, 2, 1]),
        ),
        row(
            "INITIALIZE DEVICE, again",
            mistrusted,
            initialize(1, &[0x92, 1, 0]),
            0x9000,
            Effect::Tries(SecurityOfficer, &[14, 13, 15]),
        ),
        row(
            "INITIALIZE DEVICE, wrong SO-PIN",
            logged_in,
            short(0x80, 0x50, 0, 0, b"\x81\x06648219\x82\x0800000000"),
            0x63CE,
            Effect::Tries(SecurityOfficer, &[15, 14]),
        ),
        done(
            "GENERATE SESSION PIN",
            with_session_pins,
            extended(0x80, 0x5A, 0x01, 0x81, &[]),
        ),
        done(
            "GENERATE SESSION PIN, clear",
            |stage| {
                let mut bench = with_session_pins(stage);
                bench.ok(&extended(0x80, 0x5A, 0x01, 0x81, &[]));
                bench
            },
            short(0x80, 0x5A, 0x00, 0x81, &[]),
        ),
        done(
            "DERIVE EC KEY",
            with_parent_key,
            short(0x80, 0x76, 0x30, 0x31, &[0x98, 5]),
        ),
        row(
            "DERIVE EC KEY from a key with a counter",
            with_counted_parent_key,
            short(0x80, 0x76, 0x30, 0x31, &[0x98, 5]),
            0x9000,
            Effect::Use(0x30),
        ),
        done(
            "MANAGE KEY DOMAIN, create",
            logged_in,
            fixture::create_domain(fixture::ABSENT, 2),
        ),
        done(
            "MANAGE KEY DOMAIN, draw",
            logged_in,
            fixture::create_domain(fixture::ABSENT, 0),
        ),
        done(
            "MANAGE KEY DOMAIN, share",
            logged_in,
            fixture::share(fixture::WAITING, 0x99),
        ),
        done(
            "MANAGE KEY DOMAIN, clear",
            logged_in,
            extended(0x80, 0x52, 0x04, fixture::DKEK, &[]),
        ),
        done(
            "MANAGE KEY DOMAIN, delete",
            logged_in,
            extended(0x80, 0x52, 0x03, fixture::WAITING, &[]),
        ),
        done(
            "MANAGE KEY DOMAIN, join",
            trusting,
            extended(0x80, 0x52, 0x02, fixture::ABSENT, &papers.memberships[0]),
        ),
        done(
            "MANAGE PUBLIC KEY AUTHENTICATION, register",
            waiting_for_custodian,
            fixture::register(papers),
        ),
        done(
            "MANAGE PUBLIC KEY AUTHENTICATION, replace",
            with_custodian,
            extended(0x80, 0x54, 0x01, 0x00, &papers.custodian),
        ),
        uses(
            "SIGN, ECDSA",
            fixture::sign(fixture::COUNTED_KEY),
            fixture::COUNTED_KEY,
        ),
        uses(
            "SIGN, RSA",
            extended(0x80, 0x68, fixture::RSA_KEY, 0x33, b"message"),
            fixture::RSA_KEY,
        ),
        uses(
            "DECIPHER, RSA",
            extended(0x80, 0x62, fixture::RSA_KEY, 0x21, &[0x11; 128]),
            fixture::RSA_KEY,
        ),
        uses(
            "DECIPHER, ECDH",
            extended(0x80, 0x62, fixture::COUNTED_KEY, 0x80, p256.parameters().g),
            fixture::COUNTED_KEY,
        ),
        done(
            "DECIPHER, XKEK",
            // The same peer gives the same KEK: without one the change shows.
            |stage| {
                let mut bench = trusting_peer(stage);
                bench.ok(&extended(0x80, 0x52, 0x04, fixture::XKEK, &[]));
                bench
            },
            fixture::derive(&papers.exchange[1]),
        ),
        row(
            "DECIPHER, XKEK with a key that has a counter",
            counted_exchange,
            fixture::derive(&papers.exchange[1]),
            0x9000,
            Effect::Use(fixture::EXCHANGE_KEY),
        ),
        uses(
            "CIPHER",
            extended(0x80, 0x78, fixture::AES_KEY, 0x10, &[0; 16]),
            fixture::AES_KEY,
        ),
        uses(
            "WRAP KEY",
            fixture::wrap(fixture::COUNTED_KEY),
            fixture::COUNTED_KEY,
        ),
        done("UNWRAP KEY", logged_in, fixture::unwrap(0x23, &papers.blob)),
        done(
            "UNWRAP KEY, RSA",
            logged_in,
            fixture::unwrap(0x23, &stage.blobs[0]),
        ),
        done(
            "UNWRAP KEY, AES",
            logged_in,
            fixture::unwrap(0x23, &stage.blobs[1]),
        ),
        done(
            "UNWRAP KEY from the scratch file",
            scratch_filled,
            short(0x80, 0x74, 0x24, 0x93, &[]),
        ),
        done(
            "UPDATE BINARY, new file",
            logged_in,
            update(0xCA02, 0, &[7; 600]),
        ),
        done(
            "UPDATE BINARY through the channel",
            |stage| in_channel(stage).0,
            in_channel(stage)
                .1
                .seal_command(&update(0xCA02, 0, &[7; 60]))
                .unwrap(),
        ),
        done(
            "UPDATE BINARY, longer",
            logged_in,
            update(fixture::FILE, 10, &[7; 100]),
        ),
        done(
            "UPDATE BINARY, even",
            file_selected,
            short(0x00, 0xD6, 0x00, 0x05, &[1, 2, 3]),
        ),
        done("DELETE FILE", logged_in, delete(fixture::PRIVATE_FILE)),
        done(
            "DELETE FILE of a key",
            logged_in,
            fixture::delete_key(fixture::EC_KEY),
        ),
    ]
}
