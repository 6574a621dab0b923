use super::*;
use proptest::prelude::*;

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

/// The command as the trace shows it, and the response `C0FFEE 9000`.
fn shown_after(blanker: &mut Blanker, command: &str) -> (String, String) {
    shown_with(blanker, command, "C0FFEE 9000")
}

/// The command and this response as the trace shows them.
fn shown_with(blanker: &mut Blanker, command: &str, response: &str) -> (String, String) {
    let (command, response) = (bytes(command), bytes(response));
    let blanks = blanker.blanks(&command, &response);
    (
        starred(&command, &blanks.command),
        starred(&response, &blanks.response),
    )
}

fn shown(command: &str) -> (String, String) {
    shown_after(&mut Blanker::default(), command)
}

const OPEN: &str = "C0FFEE9000";
const BLANK: &str = "******9000";

#[test]
fn secrets_are_stars_and_the_rest_stays() {
    let rows = [
        ("00200081 06 363438323139", "0020008106************", OPEN),
        ("00200081", "00200081", OPEN),
        (
            "00200081 000006 363438323139",
            "00200081000006************",
            OPEN,
        ),
        (
            "00240081 0C 363438323139 363438323138",
            "002400810C************************",
            OPEN,
        ),
        (
            "002C0181 08 3537363231383830",
            "002C018108****************",
            OPEN,
        ),
        (
            "80500000 13 80020001 8106363438323139 8202AABB 910103",
            "8050000013800200018106************8202****910103",
            OPEN,
        ),
        ("80520000 04 01020304", "8052000004********", OPEN),
        ("80520100 01 02", "805201000102", OPEN),
        ("80520200 02 7F21", "80520200027F21", OPEN),
        ("80620121 04 AABBCCDD 00", "8062012104AABBCCDD00", BLANK),
        ("80680170 04 AABBCCDD 00", "8068017004AABBCCDD00", OPEN),
        ("80780110 04 AABBCCDD 00", "8078011004**********", BLANK),
        ("805A0181 00", "805A018100", BLANK),
        ("00840000 03", "0084000003", BLANK),
        ("00B1CD01 04 54020000 00", "00B1CD01045402000000", BLANK),
        ("00B1CE01 04 54020000 00", "00B1CE01045402000000", OPEN),
        (
            "00D7CD01 07 54020000 5301AA",
            "00D7CD0107**************",
            BLANK,
        ),
        (
            "00D7CE01 07 54020000 5301AA",
            "00D7CE0107540200005301AA",
            OPEN,
        ),
    ];
    for (command, expected, response) in rows {
        assert_eq!(
            shown(command),
            (expected.into(), response.into()),
            "{command}"
        );
    }
}

#[test]
fn what_is_not_of_its_usual_form_is_blank_behind_the_header() {
    let rows = [
        // Lc one off, wrong class, chaining and secure messaging bits.
        ("00200081 07 363438323139", "00200081**************"),
        ("00200081 05 363438323139", "0020008105************"),
        ("00200081 00 363438", "00200081********"),
        ("80200081 06 363438323139", "8020008106************"),
        ("0C200081 06 363438323139", "0C20008106************"),
        ("10240081 06 363438323139", "1024008106************"),
        ("002C0181 09 3537", "002C0181******"),
        // INITIALIZE DEVICE: class, length of an element, unknown element, no TLV at all.
        ("00500000 08 8106363438323139", "0050000008****************"),
        ("80500000 08 8107363438323139", "8050000008****************"),
        ("80500000 08 A106363438323139", "8050000008****************"),
        ("80500000 08 363438323139", "80500000**************"),
        // A share with a wrong action or a wrong class.
        (
            &format!("80520100 20 {}", "5A".repeat(32)),
            &format!("8052010020{}", "*".repeat(64)),
        ),
        (
            &format!("00520200 21 {}", "5A".repeat(32)),
            &format!("00520200{}", "*".repeat(66)),
        ),
        ("00780110 02 AABB", "0078011002****"),
        ("00620121 02 AABB", "0062012102****"),
        ("00D7CE01 09 54020000 5301AA", "00D7CE01****************"),
    ];
    for (command, expected) in rows {
        assert_eq!(shown(command).0, expected, "{command}");
    }
}

#[test]
fn protected_secrets_are_blank_too() {
    let rows = [
        ("0C200081 04 8701AABB 00", "0C20008104**********", OPEN),
        ("8C500000 04 8701AABB 00", "8C50000004**********", OPEN),
        ("8C520000 04 8701AABB 00", "8C52000004**********", OPEN),
        ("8C780110 04 8701AABB 00", "8C78011004**********", BLANK),
        ("8C620121 04 8701AABB 00", "8C62012104**********", BLANK),
        ("0C840000 04 9701088E 00", "0C84000004**********", BLANK),
        ("8C5A0181 04 9701008E 00", "8C5A018104**********", BLANK),
        ("0CB1CD01 04 8501AABB 00", "0CB1CD01048501AABB00", BLANK),
        ("8C680170 04 8701AABB 00", "8C680170048701AABB00", OPEN),
    ];
    for (command, expected, response) in rows {
        assert_eq!(
            shown(command),
            (expected.into(), response.into()),
            "{command}"
        );
    }
    let mut blanker = Blanker::default();
    let _ = shown_after(&mut blanker, "0CA40000 04 8701AABB 00");
    let read = "00B10000 04 54020000 00";
    assert_eq!(shown_after(&mut blanker, read).1, BLANK, "which file?");
}

#[test]
fn the_selected_private_file_is_remembered() {
    let mut blanker = Blanker::default();
    let read = "00B10000 04 54020000 00";
    assert_eq!(shown_after(&mut blanker, read).1, OPEN);
    let _ = shown_after(&mut blanker, "00A40000 02 CD01 00");
    assert_eq!(shown_after(&mut blanker, read).1, BLANK);

    let mut blanker = Blanker::default();
    let _ = shown_after(&mut blanker, "00D7CD01 06 54020000 5300");
    let update = shown_after(&mut blanker, "00D70000 07 54020000 5301AA");
    assert_eq!(update.0, "00D7000007**************");
    let _ = shown_after(&mut blanker, "00D7CE01 06 54020000 5300");
    assert_eq!(shown_after(&mut blanker, read).1, OPEN);
}

#[test]
fn the_even_forms_are_of_the_current_file_whatever_their_offset() {
    let rows = [
        ("00B00000 03", "00B0000003", BLANK),
        ("00B00001 03", "00B0000103", BLANK),
        ("00B02F02 03", "00B02F0203", BLANK),
        ("00B08001 03", "00B0800103", BLANK),
        ("00D60001 01 99", "00D6000101**", BLANK),
        ("00D6CE01 01 99", "00D6CE0101**", BLANK),
    ];
    for (command, expected, response) in rows {
        let mut blanker = Blanker::default();
        let _ = shown_after(&mut blanker, "00A40000 02 CD01 00");
        let shown = shown_after(&mut blanker, command);
        assert_eq!(shown, (expected.into(), response.into()), "{command}");
    }
    let mut blanker = Blanker::default();
    let _ = shown_after(&mut blanker, "00A40000 02 CE01 00");
    let rows = [
        ("00B04D01 03", "00B04D0103"),
        ("00D64D01 01 99", "00D64D010199"),
    ];
    for (command, expected) in rows {
        let shown = shown_after(&mut blanker, command);
        assert_eq!(shown, (expected.into(), OPEN.into()), "{command}");
    }
}

#[test]
fn only_what_succeeds_changes_the_current_file() {
    let read = "00B00000 03";
    for private in [
        "00A40000 02 CD01 00",
        "00B1CD01 04 54020000 00",
        "00D7CD01 06 54020000 5300",
        "0CB1CD01 04 8501AABB 00",
    ] {
        for status in ["9000", "6282"] {
            let mut blanker = Blanker::default();
            let _ = shown_with(&mut blanker, private, status);
            assert_eq!(shown_after(&mut blanker, read).1, BLANK, "{private}");
        }
        for other in [
            "00A40000 02 CE01 00",
            "00A40400 01 E8 00",
            "00B1CE01 04 54020000 00",
            "00D7CE01 06 54020000 5300",
            "00D72F10 06 54020000 5300",
        ] {
            let mut blanker = Blanker::default();
            let _ = shown_with(&mut blanker, private, "9000");
            let after = |status, blanker: &mut Blanker| {
                let _ = shown_with(blanker, other, status);
                shown_after(blanker, read).1
            };
            for refusal in ["6982", "6A82", "6A84", "6B00", "6700", "", "90"] {
                let shown = after(refusal, &mut blanker);
                assert_eq!(shown, BLANK, "{private}, {other} {refusal}");
            }
            // An offset leaves no file behind.
            let _ = shown_with(&mut blanker, "00B0CE01 03", "9000");
            assert_eq!(shown_after(&mut blanker, read).1, BLANK, "{private}");
            assert_eq!(after("9000", &mut blanker), OPEN, "{private}, {other}");
        }
    }
}

proptest! {
    #[test]
    fn any_exchange_can_be_shown(
        command in proptest::collection::vec(any::<u8>(), 0..60),
        response in proptest::collection::vec(any::<u8>(), 0..30),
    ) {
        let blanks = Blanker::default().blanks(&command, &response);
        prop_assert_eq!(starred(&command, &blanks.command).len(), 2 * command.len());
        prop_assert_eq!(starred(&response, &blanks.response).len(), 2 * response.len());
    }

    #[test]
    fn a_pin_never_shows(
        cla in any::<u8>(),
        ins in prop_oneof![Just(0x20u8), Just(0x24), Just(0x2C), Just(0x50), Just(0x78)],
        parameters in any::<[u8; 2]>(),
        lc in proptest::collection::vec(any::<u8>(), 1..4),
        tail in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        // Tag 81 in front keeps it a PIN for INITIALIZE DEVICE too.
        let pin = b"\x81\x0C648219648219";
        let command = [&[cla, ins][..], &parameters, &lc, pin, &tail].concat();
        let blanks = Blanker::default().blanks(&command, &[0x90, 0x00]);
        let text = starred(&command, &blanks.command);
        prop_assert!(!text.contains("363438323139"), "{}", text);
    }
}
