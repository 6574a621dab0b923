use super::*;
use crate::card::Card;
use crate::crypto::CardRng;
use crate::identity::Serial;
use crate::profile::NITROKEY_HSM2;
use crate::store::EphemeralStore;

const SELECT: &[u8] = &[
    0x00, 0xA4, 0x04, 0x00, 11, 0xE8, 0x2B, 6, 1, 4, 1, 0x81, 0xC3, 0x1F, 2, 1, 0,
];
const INITIALIZE: &[u8] = b"\x80\x50\x00\x00\x12\x81\x06648219\x82\x0857621880";
const CHALLENGE: &[u8] = &[0x00, 0x84, 0x00, 0x00, 0x04];
const WRONG: &[u8] = b"\x00\x20\x00\x81\x06000000";
const QUERY: &[u8] = &[0x00, 0x20, 0x00, 0x81];
const READ: &[u8] = &[0x00, 0xB1, 0x2F, 0x02, 0x04, 0x54, 0x02, 0x00, 0x00, 0x00];

/// A card that is set up, selected and logged out, under a script.
fn card(script: &str, mutator: Option<Mutator>) -> Hostile {
    let power = PowerSwitch::new();
    let store = Switched::new(Box::new(EphemeralStore::default()), power.clone());
    let serial = Serial::new("VT0000001").unwrap();
    let rng = Box::new(CardRng::from_seed([1; 32]));
    let mut card = Card::personalise(&NITROKEY_HSM2, &serial, Box::new(store), rng).unwrap();
    card.power_on();
    for command in [SELECT, INITIALIZE, SELECT] {
        assert!(card.transmit(command).ends_with(&[0x90, 0x00]));
    }
    let script = Script::parse(script.as_bytes()).unwrap();
    Hostile::new(card, script, mutator, power)
}

fn mutator(percent: u8) -> Mutator {
    Mutator::new(Box::new(CardRng::from_seed([9; 32])), percent)
}

/// The response to GET CHALLENGE of four bytes that a list of actions makes.
fn challenge(actions: &str) -> Vec<u8> {
    let script = format!(r#"[{{"on": {{"ins": "84"}}, "do": {actions}}}]"#);
    card(&script, None).transmit(CHALLENGE)
}

#[test]
fn actions_change_responses() {
    let good = challenge("[]");
    assert_eq!((good.len(), good.ends_with(&[0x90, 0x00])), (6, true));
    let data = &good[..4];
    assert_eq!(
        challenge(r#"[{"status": "6A82"}]"#),
        [data, &[0x6A, 0x82]].concat()
    );
    assert_eq!(challenge(r#"[{"data": "01 02"}]"#), [1, 2, 0x90, 0x00]);
    assert_eq!(challenge(r#"[{"replace": "01"}]"#), [1]);
    assert_eq!(challenge(r#"[{"cut": 5}]"#), good[..5]);
    assert_eq!(
        challenge(r#"[{"append": "FF"}, {"status": "6282"}]"#),
        [data, &[0xFF, 0x62, 0x82]].concat()
    );
    let flipped = challenge(r#"[{"flip": [1, "81"]}]"#);
    assert_eq!((flipped[0], flipped[1]), (good[0], good[1] ^ 0x81));
}

#[test]
fn lengths_lie_and_objects_nest() {
    let answer = |action: &str| {
        let response = challenge(&format!(r#"[{{"data": "8202AABB"}}, {{{action}}}]"#));
        hex::encode(&response[..response.len() - 2])
    };
    assert_eq!(answer(r#""length": "long""#), "8203aabb");
    assert_eq!(answer(r#""length": "short""#), "8201aabb");
    assert_eq!(answer(r#""length": "huge""#), "8284ffffffffaabb");
    assert_eq!(answer(r#""length": "endless""#), "8280aabb");
    assert_eq!(answer(r#""nest": 2"#), "7f4e077f4e048202aabb");
    // However deep, it is well formed and the reader's frame holds it.
    let deepest = challenge(r#"[{"nest": 65535}]"#);
    assert!((0xFFFA..=0xFFFF).contains(&deepest.len()));
    let (mut inner, mut levels) = (&deepest[..deepest.len() - 2], 0);
    while inner.len() > 4 {
        let mut reader = crate::tlv::Reader::new(inner);
        inner = reader.expect(0x7F4E).unwrap().value;
        reader.finish().unwrap();
        levels += 1;
    }
    assert!(levels > 13_000, "{levels} levels");
}

#[test]
fn a_rule_counts_its_own_occurrences() {
    let script = r#"[
        {"on": {"name": "GET CHALLENGE", "nth": 2}, "do": [{"status": "6F00"}]},
        {"on": {"name": "verify", "p2": "88"}, "do": [{"status": "6983"}]}
    ]"#;
    let mut card = card(script, None);
    let words: Vec<_> = (0..3)
        .map(|_| card.transmit(CHALLENGE).split_off(4))
        .collect();
    assert_eq!(words, [[0x90, 0x00], [0x6F, 0x00], [0x90, 0x00]]);
    assert_eq!(card.transmit(QUERY), [0x63, 0xC3]);
    assert_eq!(card.transmit(&[0x00, 0x20, 0x00, 0x88]), [0x69, 0x83]);
}

#[test]
fn a_storm_ends_with_the_response() {
    let script = r#"[{"on": {"ins": "84"}, "do": [{"storm": {"word": "61FF", "count": 3}}]}]"#;
    let mut card = card(script, None);
    let ask = [0x00, 0xC0, 0x00, 0x00, 0x00];
    assert_eq!(card.transmit(CHALLENGE), [0x61, 0xFF]);
    assert_eq!(card.transmit(&ask), [0x61, 0xFF]);
    assert_eq!(card.transmit(&ask), [0x61, 0xFF]);
    assert_eq!(card.transmit(&ask).len(), 6);
    assert_eq!(card.transmit(&ask), [0x6D, 0x00]);
}

#[test]
fn a_storm_ends_with_any_response_that_the_others_make() {
    let answers = |actions: &str| {
        let script = format!(r#"[{{"on": {{"ins": "84"}}, "do": {actions}}}]"#);
        let mut card = card(&script, None);
        [(); 4].map(|()| card.transmit(CHALLENGE))
    };
    let two = r#"{"storm": {"word": "6C08", "count": 2}}"#;
    let (word, empty) = (vec![0x6C, 0x08], Vec::new());
    // An empty response is a response.
    let storm = answers(&format!(r#"[{{"replace": ""}}, {two}]"#));
    assert_eq!(storm, [&word, &word, &empty, &word].map(Clone::clone));
    // What stands behind the storm changes the response, not the word.
    for actions in [
        format!(r#"[{two}, {{"replace": "0102"}}]"#),
        format!(r#"[{{"replace": "0102"}}, {two}]"#),
    ] {
        let storm = answers(&actions);
        let last = vec![1, 2];
        assert_eq!(storm, [&word, &word, &last, &word].map(Clone::clone));
    }
}

#[test]
fn silence_removal_and_reset() {
    let on = |what: &str| format!(r#"[{{"on": {{"ins": "84"}}, "do": ["{what}"]}}]"#);
    let interrupted = |what: &str| {
        let mut card = card(&on(what), None);
        card.transmit(CHALLENGE);
        (card.take_interruption(), card.transmit(QUERY))
    };
    assert_eq!(
        interrupted("silence"),
        (Some(Interruption::Silence), vec![0x63, 0xC3])
    );
    assert_eq!(
        interrupted("remove"),
        (Some(Interruption::Removal), vec![0x6D, 0x00])
    );
    assert_eq!(interrupted("reset"), (None, vec![0x6D, 0x00]));
}

#[test]
fn power_goes_at_a_write() {
    // VERIFY of the right PIN writes twice: the spent try, and the tries that come back.
    for (writes, left) in [(0, 0xC3), (1, 0xC2), (2, 0xC3)] {
        let script = format!(
            r#"[{{"on": {{"name": "VERIFY", "nth": 1}}, "do": [{{"power_loss": {writes}}}]}}]"#
        );
        let mut card = card(&script, None);
        let right = b"\x00\x20\x00\x81\x06648219";
        card.transmit(right);
        assert_eq!(card.take_interruption(), Some(Interruption::Removal));
        assert_eq!(card.transmit(QUERY), [0x6D, 0x00], "no applet is selected");
        card.transmit(SELECT);
        assert_eq!(
            card.transmit(QUERY),
            [0x63, left],
            "power lost after {writes} writes"
        );
    }
    // A command that writes less is not disturbed; one that writes nothing is by a cut before.
    for (writes, interruption) in [(2, None), (0, Some(Interruption::Removal))] {
        let script = format!(r#"[{{"on": {{"ins": "20"}}, "do": [{{"power_loss": {writes}}}]}}]"#);
        let mut card = card(&script, None);
        let command = if writes == 0 { QUERY } else { WRONG };
        card.transmit(command);
        assert_eq!(card.take_interruption(), interruption);
    }
}

#[test]
fn mutations_repeat_and_keep_their_rate() {
    let run = |percent| -> Vec<Vec<u8>> {
        let mut card = card("[]", Some(mutator(percent)));
        (0..400).map(|_| card.transmit(READ)).collect()
    };
    let good = card("[]", None).transmit(READ);
    let changed = |responses: &[Vec<u8>]| responses.iter().filter(|one| **one != good).count();
    assert_eq!(run(30), run(30));
    let some = changed(&run(30));
    assert!((90..150).contains(&some), "{some} of 400 changed at 30 %");
    let all = run(100);
    assert_eq!(changed(&all), 400);
    // Many kinds of change, not one.
    let kinds: std::collections::BTreeSet<_> = all.iter().map(Vec::len).collect();
    assert!(kinds.len() > 20, "{} lengths", kinds.len());
}

#[test]
fn no_mutated_response_is_empty() {
    let mut card = card("[]", Some(mutator(100)));
    let lengths: std::collections::BTreeSet<_> =
        (0..400).map(|_| card.transmit(QUERY).len()).collect();
    assert!(lengths.contains(&1), "none was cut: {lengths:?}");
    assert!(!lengths.contains(&0), "a reader would wait for ever");
}

#[test]
fn responses_without_data_are_mutated_as_often_as_others() {
    let mut card = card("[]", Some(mutator(100)));
    let answers: Vec<_> = (0..200).map(|_| card.transmit(QUERY)).collect();
    let same = answers.iter().filter(|one| **one == [0x63, 0xC3]).count();
    assert_eq!(same, 0, "of 200 that were all to be changed");
    let kinds: std::collections::BTreeSet<_> = answers.iter().collect();
    assert!(kinds.len() > 50, "{} different", kinds.len());
}

#[test]
fn tags_are_mutated_too() {
    // All of the certificates, so that the objects are whole.
    let read = [0x00, 0xB1, 0x2F, 0x02, 0, 0, 4, 0x54, 2, 0, 0, 0, 0];
    let good = card("[]", None).transmit(&read);
    let mut card = card("[]", Some(mutator(100)));
    let tags = (0..400).filter(|_| {
        let answer = card.transmit(&read);
        answer.len() == good.len() && answer[..2] != good[..2] && answer[2..] == good[2..]
    });
    assert!(tags.count() > 2);
}

#[test]
fn scripts_that_are_wrong_are_refused_with_a_reason() {
    let rows = [
        ("{}", "expected"),
        (r#"[{"on": {"ins": "8"}, "do": []}]"#, "hexadecimal"),
        (r#"[{"on": {"ins": "8484"}, "do": []}]"#, "one byte"),
        (
            r#"[{"on": {"name": "SIGH"}, "do": []}]"#,
            "no command \"SIGH\"",
        ),
        (
            r#"[{"on": {"nmae": "SIGN"}, "do": []}]"#,
            "unknown field `nmae`",
        ),
        (
            r#"[{"on": {}, "do": ["explode"]}]"#,
            "unknown variant `explode`",
        ),
        (r#"[{"on": {}, "do": [{"status": "61"}]}]"#, "two bytes"),
        (
            r#"[{"on": {}, "do": [{"storm": {"word": "61FF", "count": 0}}]}]"#,
            "expected a nonzero u32",
        ),
    ];
    for (script, reason) in rows {
        let error = Script::parse(script.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{script}: {error}");
    }
}
