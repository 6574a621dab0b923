//! Custodians' keys: registered by `sc-hsm-tool`, used by this harness.

use crate::prerequisites::pkcs11_module;
use crate::readers::Readers;
use crate::tool::{Outcome, Tool};
use crate::{A, B, C, D};
use hsm2_harness::card::Card;
use hsm2_harness::card::command::StatusWord;
use hsm2_harness::card::cvc::{Chain, Request};
use hsm2_harness::transport::place::{Opener, Place};
use tempfile::TempDir;

const SO_PIN: &str = "3537363231383830";
const PIN: &str = "648219";
/// Number of the custodian's key on each card, and the EF with its request.
const KEY: u8 = 1;
const REQUEST: u16 = 0xCE01;

fn sc_hsm_tool(folder: &TempDir, reader: usize, words: &str) -> Tool {
    Tool::new("sc-hsm-tool")
        .directory(folder.path())
        .words(&format!("--reader {reader}"))
        .words(words)
}

/// What `--public-key-auth-status` says: keys in all, missing, required, authenticated.
fn status(folder: &TempDir, reader: usize) -> [String; 4] {
    let said = sc_hsm_tool(folder, reader, "--public-key-auth-status").ok();
    [
        "Number of public keys:",
        "Missing public keys:",
        "Required pubkeys for auth:",
        "Authenticated public keys:",
    ]
    .map(|line| said.field(line))
}

fn register(folder: &TempDir, file: &str) -> Outcome {
    sc_hsm_tool(folder, 0, &format!("--register-public-key {file}")).run()
}

/// The card in a reader, for this harness alone until it is dropped.
fn card(reader: &str) -> Card {
    let place = Place::Pcsc(reader.into());
    let target = Opener::default().open(&place, "", &mut |_| {});
    let mut card = Card::new(target.expect("a card in the reader"));
    card.select().expect("a SmartCard-HSM");
    card
}

/// A custodian's card with its user logged in, and what is known of its key.
struct Custodian {
    card: Card,
    request: Request,
}

impl Custodian {
    fn in_reader(reader: &str) -> Self {
        let mut card = card(reader);
        let verify = [&[0x00, 0x20, 0x00, 0x81, 6], PIN.as_bytes()].concat();
        let answer = card.transmit(&verify).expect("a card in the reader");
        assert_eq!(answer, [0x90, 0x00]);
        let chain: Chain = card.chain().expect("certificates");
        let file = card.read(REQUEST).expect("the key's request");
        let request = Request::parse(&file, &chain.device).expect("an attested key");
        Self { card, request }
    }

    /// Authenticates on a card; gives the count of those who have.
    fn open(&mut self, guarded: &mut Card) -> u8 {
        let device = guarded.chain().expect("certificates").device.holder;
        let challenge = guarded.custodian_challenge().expect("a challenge");
        let message = [&device[..], &challenge].concat();
        let key = &self.request.request.key;
        let signature = self.card.sign(KEY, key, &message).expect("a signature");
        let name = &self.request.request.holder;
        guarded.select_custodian(name).expect("a registered key");
        guarded
            .authenticate_custodian(&signature)
            .expect("a signature that counts");
        guarded.quorum().expect("a state").authenticated
    }
}

/// Two of two custodians: three make keys, one comes too late.
pub(crate) fn sc_hsm_tool_registers_and_we_open() {
    let _readers = Readers::with_cards(4);
    let folder = tempfile::tempdir().expect("a temporary directory");
    sc_hsm_tool(&folder, 0, "--public-key-auth-status")
        .run()
        .has("Card not initialized");
    let initialize = format!("--initialize --so-pin {SO_PIN} --pin {PIN}");
    let module = pkcs11_module().expect("a prerequisite");
    for (reader, file) in [(1, "b.pka"), (2, "c.pka"), (3, "d.pka")] {
        sc_hsm_tool(&folder, reader, &initialize)
            .ok()
            .lacks("failed");
        Tool::new("pkcs11-tool")
            .arg("--module")
            .arg(&module)
            .words(&format!("--slot-index {reader} --login --pin {PIN}"))
            .words("--keypairgen --key-type EC:brainpoolP256r1 --id 01 --label custodian")
            .ok();
        sc_hsm_tool(
            &folder,
            reader,
            &format!("--export-for-pub-key-auth {file} --key-reference {KEY}"),
        )
        .ok()
        .lacks("failed");
    }
    // A card that was set up for a PIN alone takes no keys.
    sc_hsm_tool(&folder, 0, &initialize).ok().lacks("failed");
    register(&folder, "b.pka").has("Card not initialized for public key registration");

    let for_two = format!("{initialize} --public-key-auth 2 --required-pub-keys 2");
    sc_hsm_tool(&folder, 0, &for_two).ok().lacks("failed");
    assert_eq!(status(&folder, 0), ["2", "2", "2", "0"]);
    register(&folder, "b.pka").lacks("failed");
    assert_eq!(status(&folder, 0), ["2", "1", "2", "0"]);
    let twice = register(&folder, "b.pka");
    assert_eq!(status(&folder, 0), ["2", "1", "2", "0"]);
    twice.has("REGISTER_PUBLIC_KEY, *) failed with");
    register(&folder, "c.pka").lacks("failed");
    assert_eq!(status(&folder, 0), ["2", "0", "2", "0"]);
    let too_many = register(&folder, "d.pka");
    assert_eq!(status(&folder, 0), ["2", "0", "2", "0"]);
    too_many.has("REGISTER_PUBLIC_KEY, *) failed with");

    let mut guarded = card(A);
    let mut custodians = [B, C, D].map(Custodian::in_reader);
    let [b, c, late] = &mut custodians;
    let name = &late.request.request.holder;
    let unknown = guarded
        .select_custodian(name)
        .expect_err("never registered");
    assert_eq!(unknown.status(), Some(StatusWord::NOT_FOUND));
    assert_eq!(b.open(&mut guarded), 1);
    let user = guarded.user_state().expect("a state");
    assert_eq!(user, StatusWord(0x63C3), "one of two");
    assert_eq!(c.open(&mut guarded), 2);
    assert_eq!(guarded.user_state().expect("a state"), StatusWord::OK);
    guarded
        .write(0xCF01, b"written without a PIN")
        .expect("the custodians' leave");

    // The tool begins a session of its own: it sees the keys, and nobody authenticated any more.
    drop((guarded, custodians));
    assert_eq!(status(&folder, 0), ["2", "0", "2", "0"]);
}
