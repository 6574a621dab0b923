//! What genuine tokens, OpenSC and the vectors have said.

use hsm2_emulator::tlv::Reader;
use serde_json::Value;

use super::{Seeds, field, with_lengths};

/// Sessions that OpenSC's tools had with a card.
const OPENSC: [&str; 6] = [
    include_str!("../../../../../harness/data/opensc/initialise.txt"),
    include_str!("../../../../../harness/data/opensc/keys.txt"),
    include_str!("../../../../../harness/data/opensc/sign.txt"),
    include_str!("../../../../../harness/data/opensc/wrap.txt"),
    include_str!("../../../../../harness/data/opensc/pka.txt"),
    include_str!("../../../../../harness/data/opensc/domains.txt"),
];

/// Commands and responses between two power cycles of OpenSC's sessions.
pub(super) fn opensc() -> Vec<(Seeds, Seeds)> {
    let cycles = OPENSC
        .iter()
        .flat_map(|session| session.split("= power on"));
    let bytes = |cycle: &str, mark: &str| -> Seeds {
        let lines = cycle.lines().filter_map(|line| line.strip_prefix(mark));
        lines.map(|line| hex::decode(line).unwrap()).collect()
    };
    cycles
        .map(|cycle| (bytes(cycle, "> "), bytes(cycle, "< ")))
        .filter(|(commands, _)| !commands.is_empty())
        .collect()
}

/// Distinct commands of OpenSC's.
pub(super) fn commands() -> Seeds {
    distinct(opensc().into_iter().flat_map(|(commands, _)| commands))
}

/// Commands of OpenSC's for `apdu_bytes`.
pub(super) fn command_sequences() -> Seeds {
    distinct(opensc().iter().map(|(commands, _)| with_lengths(commands)))
}

/// What was answered to OpenSC, without the status words.
pub(super) fn data() -> Seeds {
    let responses = opensc().into_iter().flat_map(|(_, responses)| responses);
    distinct(responses.filter_map(|response| {
        let (data, _) = response.split_last_chunk::<2>()?;
        (!data.is_empty()).then(|| data.to_vec())
    }))
}

fn distinct(all: impl Iterator<Item = Vec<u8>>) -> Seeds {
    let set: std::collections::BTreeSet<_> = all.collect();
    set.into_iter().collect()
}

fn vector(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The content of the one object that these bytes are.
fn content(bytes: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(bytes);
    reader.next_element().unwrap().value.to_vec()
}

/// Certificates and requests of the vectors, whole.
pub(super) fn certificates() -> Seeds {
    let cvc = vector(include_str!("../../../../../vectors/cvc.json"));
    let xkek = vector(include_str!("../../../../../vectors/xkek.json"));
    let kdm = vector(include_str!("../../../../../vectors/kdm.json"));
    let published = cvc["published"].as_array().unwrap();
    let mut all: Seeds = published
        .iter()
        .filter_map(|one| field(one, "hex"))
        .collect();
    let computed = &cvc["computed"];
    for (record, name) in [
        (computed, "root"),
        (computed, "dica"),
        (computed, "device_A"),
        (
            &computed["public_key_authentication"],
            "registration_request",
        ),
        (&xkek["certificates"], "device_B"),
        (&xkek["certificates"], "device_G"),
        (&xkek, "exchange_request_A"),
        (&xkek, "exchange_request_B"),
        (&kdm["computed"], "group_signer_request"),
        (&kdm["published"], "root_certificate_public"),
    ] {
        all.push(field(record, name).unwrap());
    }
    all
}

/// Memberships and requests for the target of that name.
pub(super) fn memberships() -> Seeds {
    let kdm = vector(include_str!("../../../../../vectors/kdm.json"));
    let xkek = vector(include_str!("../../../../../vectors/xkek.json"));
    let member = |name: &str| field(&kdm["computed"][name], "command_data").unwrap();
    let request = |name: &str| content(&field(&xkek, name).unwrap());
    vec![
        [vec![0], member("member_A")].concat(),
        [vec![0x80], member("member_B")].concat(),
        [vec![1], request("exchange_request_A")].concat(),
        [vec![0x82], request("exchange_request_B")].concat(),
    ]
}

/// Blobs of the vectors, and what is in them for the way that makes the MAC right.
pub(super) fn blobs() -> Seeds {
    let blobs = vector(include_str!("../../../../../vectors/blobs.json"));
    let mut all = Seeds::new();
    for name in ["vectors", "negative"] {
        for one in blobs[name].as_array().unwrap() {
            all.push([vec![0], field(one, "blob").unwrap()].concat());
            if let Some(plain) = field(one, "plaintext_padded") {
                let kind = all.last().map_or(0, |blob| blob[9]);
                let algorithms = field(one, "allowed_algorithms").unwrap_or_default();
                let listed = u8::try_from(algorithms.len()).unwrap();
                all.push([vec![1, kind, listed], algorithms, plain].concat());
            }
        }
    }
    all
}

/// The share file of the vectors.
pub(super) fn share_file() -> Vec<u8> {
    let dkek = vector(include_str!("../../../../../vectors/dkek.json"));
    field(&dkek["share_file"], "file").unwrap()
}

/// Commands of the opening of a secure channel, and of what went through it.
pub(super) fn channel() -> Seeds {
    let sm = vector(include_str!("../../../../../vectors/sm.json"));
    let steps = sm["steps"].as_array().unwrap();
    let mut all = vec![
        field(&sm, "mse_at").unwrap(),
        field(&sm, "general_authenticate").unwrap(),
    ];
    all.extend(steps.iter().filter_map(|step| field(step, "apdu")));
    all
}
