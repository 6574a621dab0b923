//! The vectors in `vectors/`, as this test needs them.

use serde_json::Value;

use crate::support::bytes;

/// `vectors/dkek.json`: shares, and the DKEK that they make.
pub(crate) fn dkek() -> Vec<Value> {
    let file: Value = parse(include_str!("../../../vectors/dkek.json"));
    file["vectors"].as_array().unwrap().clone()
}

/// `vectors/blobs.json`: blobs under one DKEK.
pub(crate) fn blobs() -> Value {
    parse(include_str!("../../../vectors/blobs.json"))
}

/// `vectors/kdm.json`: key-domain memberships.
pub(crate) fn kdm() -> Value {
    parse(include_str!("../../../vectors/kdm.json"))
}

/// `vectors/sm.json`: chip authentication, and a few exchanges through the channel.
pub(crate) fn sm() -> Value {
    parse(include_str!("../../../vectors/sm.json"))
}

/// `vectors/xkek.json`: an exchange between two devices.
pub(crate) fn xkek() -> Value {
    parse(include_str!("../../../vectors/xkek.json"))
}

/// `vectors/cvc.json`: certificates, and a public-key authentication.
pub(crate) fn cvc() -> Value {
    parse(include_str!("../../../vectors/cvc.json"))
}

/// A record of a genuine token in `vectors/real-tokens.json`.
pub(crate) fn real_token(id: &str) -> Value {
    let file: Value = parse(include_str!("../../../vectors/real-tokens.json"));
    let mut records = file["records"].as_array().unwrap().iter();
    records.find(|record| record["id"] == id).unwrap().clone()
}

/// A text of a vector.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Bytes of a vector.
pub(crate) fn hex(value: &Value) -> Vec<u8> {
    bytes(text(value))
}

fn parse(file: &str) -> Value {
    serde_json::from_str(file).unwrap()
}
