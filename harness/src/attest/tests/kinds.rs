//! Devices made up out of files: other algorithms, other curves, other roles.

use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey, Hash, RsaPrivateKey};
use hsm2_emulator::cvc::{self, CertificateFields, Parameters, RequestFields, RequestKey, Role};

use super::*;

const DEVICE: &[u8] = b"ZZATTEST00000";
const ISSUER: &[u8] = b"ZZVIRTISSU00001";
const ROOT: &[u8] = b"ZZVIRTROOT00001";

/// The identifiers of all schemes that the card signs requests by.
const ECDSA: [[u8; 2]; 5] = [[2, 1], [2, 2], [2, 3], [2, 4], [2, 5]];
const RSA: [[u8; 2]; 3] = [[1, 1], [1, 2], [1, 5]];

fn oid(last: [u8; 2]) -> [u8; 10] {
    let [family, hash] = last;
    [4, 0, 0x7f, 0, 7, 2, 2, 2, family, hash]
}

/// The key whose scalar is the hash of a sentence, as everybody has the virtual root's.
fn key(sentence: &str) -> EcPrivateKey {
    let scalar = Hash::Sha256.digest(sentence.as_bytes());
    EcPrivateKey::from_bytes(Curve::BrainpoolP256r1, &scalar).unwrap()
}

fn device_key() -> EcPrivateKey {
    key("test device")
}

fn key_of(name: &[u8]) -> EcPrivateKey {
    match name {
        DEVICE => device_key(),
        ISSUER => key("virtual HSM2 device issuer, a key that everybody has"),
        _ => key("virtual HSM2 root, a key that everybody has"),
    }
}

/// Who certifies, whom, as what.
type Link = (&'static [u8], &'static [u8], Role);

/// A chain of certificates with right signatures.
fn chain(links: &[Link]) -> Vec<u8> {
    let mut rng = CardRng::from_seed([5; 32]);
    let certificates = links.iter().map(|(authority, holder, role)| {
        let fields = CertificateFields {
            authority,
            holder,
            role: *role,
            effective: [2, 4, 0, 1, 0, 1],
            expiration: [4, 9, 1, 2, 3, 1],
            extensions: None,
        };
        let (subject, issuer) = (key_of(holder), key_of(authority));
        cvc::issue(&fields, &subject, Parameters::Inherited, &issuer, &mut rng).unwrap()
    });
    certificates.collect::<Vec<_>>().concat()
}

fn good_chain() -> Vec<u8> {
    chain(&[(ISSUER, DEVICE, Role::Device), (ROOT, ISSUER, Role::Issuer)])
}

/// A request of an EC key by this scheme, to which the device has not put its name yet.
fn request(last: [u8; 2]) -> Vec<u8> {
    let own = EcPrivateKey::from_bytes(Curve::Secp384r1, &[7; 48]).unwrap();
    made(last, &RequestKey::Ec(&own))
}

fn made(last: [u8; 2], key: &RequestKey<'_>) -> Vec<u8> {
    let fields = RequestFields {
        authority: None,
        holder: b"UTDUMMY00000",
        oid: &oid(last),
        extensions: None,
    };
    cvc::request(&fields, key, &mut CardRng::from_seed([6; 32])).unwrap()
}

/// What an attestation makes of key 1 with this request below the device's name.
fn judged(request: &[u8], signer: &EcPrivateKey) -> (Attestation, Origin) {
    let mut rng = CardRng::from_seed([7; 32]);
    let file = cvc::authenticate(request, DEVICE, signer, &mut rng).unwrap();
    let files = vec![(0x2f02, good_chain()), (0xce01, file)];
    let mut card = Card::new(Box::new(Recorded(files)));
    let mut found = attest(&mut card, Some(1), today()).unwrap();
    let origin = found.keys.remove(0).origin;
    (found, origin)
}

/// As old devices are: who signed their certificate nobody can ask.
#[test]
fn a_device_without_its_issuers_certificate_is_not_judged_and_its_keys_are() {
    let own = chain(&[(ISSUER, DEVICE, Role::Device)]);
    let mut rng = CardRng::from_seed([7; 32]);
    let request = request([2, 3]);
    for (signer, expected) in [
        (device_key(), Verdict::NotJudged),
        (key_of(ISSUER), Verdict::Refuted),
    ] {
        let file = cvc::authenticate(&request, DEVICE, &signer, &mut rng).unwrap();
        let files = vec![(0x2f02, own.clone()), (0xce01, file)];
        let mut card = Card::new(Box::new(Recorded(files)));
        let found = attest(&mut card, Some(1), today()).unwrap();
        assert_eq!(found.verdict, expected, "{:?}", found.findings);
        assert_eq!(found.certificates[0].signature, None);
        assert_eq!((found.certificates.len(), found.root), (1, None));
        let made = found.keys[0].origin == Origin::MadeHere;
        assert_eq!(made, expected == Verdict::NotJudged);
    }
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|part| part == old);
    let mut bytes = bytes.to_vec();
    bytes[at.unwrap()..][..new.len()].copy_from_slice(new);
    bytes
}

#[test]
fn requests_verify_by_the_hash_that_they_name() {
    let rsa = include_str!("../../../fixtures/rsa-1024.pem");
    let rsa = openssl::rsa::Rsa::private_key_from_pem(rsa.as_bytes()).unwrap();
    let (p, q) = (rsa.p().unwrap().to_vec(), rsa.q().unwrap().to_vec());
    let rsa = RsaPrivateKey::from_primes(&p, &q, &rsa.e().to_vec()).unwrap();
    let requests = ECDSA.map(|last| (last, request(last)));
    let rsa_requests = RSA.map(|last| (last, made(last, &RequestKey::Rsa(&rsa))));
    for (last, request) in requests.into_iter().chain(rsa_requests) {
        let (found, origin) = judged(&request, &device_key());
        assert_eq!(origin, Origin::MadeHere, "{last:?}: {:?}", found.findings);
        assert_eq!(found.verdict, Verdict::NotProven, "{last:?}");
        // The same signature below the name of another hash is none.
        let [family, hash] = last;
        let other = if hash == 1 { 5 } else { 1 };
        let renamed = replaced(&request, &oid(last), &oid([family, other]));
        let (found, origin) = judged(&renamed, &device_key());
        assert!(matches!(origin, Origin::Wrong(_)), "{last:?}: {origin:?}");
        assert_eq!(found.verdict, Verdict::Refuted, "{last:?}");
    }
}

#[test]
fn an_unknown_kind_of_key_is_not_judged_when_the_device_vouches_for_it() {
    let good = request([2, 3]);
    let b = Curve::Secp384r1.parameters().b;
    let other_curve = replaced(&good, b, &[b[0] ^ 1]);
    for unknown in [
        replaced(&good, &oid([2, 3]), &oid([2, 9])),
        replaced(&good, &oid([2, 3]), &oid([1, 4])),
        other_curve,
    ] {
        let (found, origin) = judged(&unknown, &device_key());
        assert!(matches!(origin, Origin::NotJudged(_)), "{origin:?}");
        assert_eq!(found.verdict, Verdict::NotJudged);
        let told = found.findings.join("\n");
        assert!(told.contains("key 1 cannot be judged here"), "{told}");
        let (found, origin) = judged(&unknown, &key("another device"));
        assert!(matches!(origin, Origin::Wrong(_)), "{origin:?}");
        assert_eq!(found.verdict, Verdict::Refuted);
    }
}

#[test]
fn every_certificate_states_the_role_of_its_place() {
    let verdict = |links: &[Link]| {
        let mut card = Card::new(Box::new(Recorded(vec![(0x2f02, chain(links))])));
        let found = attest(&mut card, None, today()).unwrap();
        assert!(
            found
                .certificates
                .iter()
                .all(|one| one.signature == Some(true))
        );
        let places: Vec<_> = found.certificates.iter().map(|one| one.in_place).collect();
        (found.verdict, places, found.findings.join("\n"))
    };
    let good = [
        &[(ISSUER, DEVICE, Role::Device), (ROOT, ISSUER, Role::Issuer)][..],
        &[(ROOT, DEVICE, Role::Device)],
        &[
            (ISSUER, DEVICE, Role::Device),
            (ROOT, ISSUER, Role::Issuer),
            (ROOT, ROOT, Role::Root),
        ],
    ];
    for links in good {
        let (verdict, places, told) = verdict(links);
        assert_eq!(verdict, Verdict::NotProven, "{told}");
        assert!(places.iter().all(|in_place| *in_place), "{told}");
    }
    let (device, issuer) = ((ISSUER, DEVICE, Role::Device), (ROOT, ISSUER, Role::Issuer));
    let bad = [
        (&[(ISSUER, DEVICE, Role::Issuer), issuer][..], 0, "issuer"),
        (&[(ISSUER, DEVICE, Role::Root), issuer], 0, "root"),
        (&[device, (ROOT, ISSUER, Role::Device)], 1, "device"),
        (&[device, (ROOT, ISSUER, Role::Root)], 1, "root"),
        (&[device, issuer, (ROOT, ROOT, Role::Issuer)], 2, "issuer"),
    ];
    for (links, place, role) in bad {
        let (verdict, places, told) = verdict(links);
        assert_eq!(verdict, Verdict::Refuted, "{place} {role}");
        assert!(!places[place], "{place} {role}");
        assert!(told.contains(&format!("is certified as {role}")), "{told}");
    }
}
