//! Points about key domains that no source settles: a generation that decides each of them in
//! another way is another card, and obeys all of them.

use std::sync::LazyLock;

use hsm2_emulator::crypto::{Curve, EcPrivateKey, Hash};
use hsm2_emulator::id::DomainId;
use hsm2_emulator::profile::{
    DomainRules, DomainUid, NITROKEY_HSM2, Profile, SharedPointKek, UidExtension,
};
use hsm2_emulator::status::StatusWord;

use crate::foreign_identities::ChosenRng;
use crate::keys::{Bench, ec_template, extended, parse_request, unwrap_command};
use crate::xkek::{CURVE, EXCHANGE, SIGNER, derive_command, membership, trust};

/// No field is as in any generation that is here.
static OTHER: LazyLock<Profile> = LazyLock::new(|| Profile {
    domains: DomainRules {
        join_xkek: 0x04,
        clear_kek: 0x02,
        uid: DomainUid::X,
        uid_extension: UidExtension::AllKeys,
        xkek_status: [0xFF, 0x01],
        shared_point: SharedPointKek::HashedX,
        default_slot: Some(DomainId(1)),
        slot_exists: StatusWord::FileExists,
        share_absent: StatusWord::NoCurrentFile,
        delete_absent: StatusWord::IncorrectP1P2,
        share_unawaited: StatusWord::WrongData,
        key_bound: StatusWord::ConditionsNotSatisfied,
        wrap_not_listed: StatusWord::FunctionNotSupported,
        unknown_kcv: StatusWord::FileNotFound,
        wrong_mac: StatusWord::SecureMessagingObjectWrong,
        wrap_crt_max_bits: 1024,
    },
    ..NITROKEY_HSM2
});

const SHARE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A card of this generation, and what it draws next.
fn card(number: u8) -> (Bench, ChosenRng) {
    let rng = ChosenRng::new([number; 32]);
    let card = Bench::of(&OTHER, number, "97 01 03", Box::new(rng.clone()));
    (card, rng)
}

/// A card with a DKEK in slot 1; slot 2 is absent.
fn with_dkek() -> Bench {
    let (mut card, _) = card(1);
    card.ok("80 52 01 01 01 01 00");
    card.import_share(1, SHARE);
    card
}

#[test]
fn domains_are_joined_named_and_derived_as_the_rules_say() {
    let (mut a, draws_a) = card(1);
    let (mut b, draws_b) = card(2);
    let signer = a.generate_ec(SIGNER, CURVE, "91 01 73");
    let status = |kcv: &[u8]| [&[0xFF, 0x01], kcv, signer.x()].concat();

    let (mut twin, _) = card(1);
    let of_a = membership(&mut a, &mut twin);
    let of_b = membership(&mut a, &mut b);
    trust(&mut a, &mut twin);
    trust(&mut b, &mut a);
    for (card, membership) in [(&mut a, of_a), (&mut b, of_b)] {
        let join = format!("80 52 04 00 {} 00 00", extended(&membership));
        assert_eq!(card.ok(&join), status(&[0; 8]));
    }

    let [secret_a, secret_b] = [[0x21; 32], [0x43; 32]];
    let exchange = |card: &mut Bench, rng: &ChosenRng, secret: [u8; 32]| {
        rng.next(secret.to_vec());
        card.generate(EXCHANGE, &ec_template(CURVE, "91 01 84 92 01 00"))
    };
    let request_a = exchange(&mut a, &draws_a, secret_a);
    let request_b = exchange(&mut b, &draws_b, secret_b);
    trust(&mut a, &mut b);
    a.ok(&derive_command(EXCHANGE, &request_b));
    trust(&mut b, &mut a);
    b.ok(&derive_command(EXCHANGE, &request_a));
    let [secret_a, secret_b] =
        [secret_a, secret_b].map(|secret| EcPrivateKey::from_bytes(CURVE, &secret).unwrap());
    let point = secret_a.ecdh(&secret_b.public_point()).unwrap();
    let kek = Hash::Sha256.digest(&point[1..33]);
    let kcv = Hash::Sha256.digest(&kek);
    assert_eq!(a.domain(0), status(&kcv[..8]));
    assert_eq!(b.domain(0), status(&kcv[..8]));

    // Every key of the domain names it in its request.
    let request = a.generate(2, &ec_template(Curve::Secp256r1, "92 01 00"));
    let extension = parse_request(&request).request.extensions.unwrap().to_vec();
    let named = format!(
        "732f060b2b0601040181c31f0302028020{}",
        hex::encode(signer.x())
    );
    assert_eq!(hex::encode(extension), named);
    assert_eq!(b.unwrap_key(2, &a.wrap(2)), 0x9000);
    assert_eq!(a.ok("80 52 02 00 00"), status(&[0; 8]), "cleared");
}

#[test]
fn a_key_that_names_no_domain_falls_where_the_rules_say() {
    let (mut card, _) = card(1);
    card.generate_ec(1, Curve::Secp256r1, "");
    assert_eq!(card.attributes(1), "", "slot 1 is absent");
    card.ok("80 52 01 01 01 01 00");
    card.generate_ec(2, Curve::Secp256r1, "");
    assert_eq!(card.attributes(2), "920101");
}

#[test]
fn refusals_have_the_words_of_the_rules() {
    let mut card = with_dkek();
    card.generate_ec(1, Curve::Secp256r1, "");
    card.generate_ec(2, Curve::Secp256r1, "91 01 73");
    let blob = card.wrap(1);
    let flipped = |at: usize| {
        let mut blob = blob.clone();
        blob[at] ^= 1;
        unwrap_command(3, &blob)
    };
    let share = |slot: u8| format!("80 52 00 {slot:02X} 20 {SHARE} 00");
    card.refuses(&[
        ("create where one is", "80 52 01 01 01 01 00", 0x6A89),
        ("join where one is", "80 52 04 01 01 00 00", 0x6A89),
        ("share to an absent slot", &share(2), 0x6986),
        ("share that nobody awaits", &share(1), 0x6A80),
        ("delete an absent slot", "80 52 03 02 00", 0x6A86),
        ("clear an absent slot", "80 52 02 02 00", 0x6A86),
        ("delete with a key", "80 52 03 01 00", 0x6985),
        ("wrap is not listed", "80 72 02 92 00 00 00", 0x6A81),
        ("unknown KCV", &flipped(0), 0x6A82),
        ("wrong MAC", &flipped(blob.len() - 1), 0x6988),
        ("clear has no data field", "80 52 02 01 01 00 00", 0x6700),
        ("a number without meaning", "80 52 05 01 00", 0x6A86),
    ]);
}

#[test]
fn rsa_keys_leave_in_the_form_of_the_rules() {
    let mut card = with_dkek();
    for (bits, kind) in [(1024, 0x06), (1536, 0x05)] {
        card.generate_rsa(1, bits, "");
        let signed = card.sign(1, 0x33, b"message");
        let blob = card.wrap(1);
        assert_eq!(blob[8], kind, "{bits}");
        card.delete_key(1);
        assert_eq!(card.unwrap_key(1, &blob), 0x9000, "{bits}");
        assert_eq!(card.sign(1, 0x33, b"message"), signed, "{bits}");
        card.delete_key(1);
    }
}
