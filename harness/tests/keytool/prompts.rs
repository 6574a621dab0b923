//! What custodians see and type: passwords and shares at the terminal.

use super::terminal::Terminal;
use super::{PASSWORD, Workshop, fixture, genuine};

/// Clears the screen and what can be scrolled back to.
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";

/// A custodian's share as it stands on the screen.
struct Seen {
    prime: String,
    id: String,
    value: String,
}

impl Seen {
    fn read(screen: &str) -> Self {
        let value = |name: &str| {
            let line = screen.lines().find(|line| line.starts_with(name));
            let (_, value) = line
                .unwrap_or_else(|| panic!("{screen}"))
                .split_once(':')
                .unwrap();
            value.trim().to_owned()
        };
        Self {
            prime: value("Prime"),
            id: value("Share ID"),
            value: value("Share value"),
        }
    }
}

/// Three custodians note their shares one after the other, two of them come back and type them in, and
/// the file gets a password instead, in its own place.
#[test]
fn shares_go_from_screen_to_keyboard_and_nothing_secret_is_echoed() {
    let shop = Workshop::new();
    let line = "dkek new-share group.pbe --threshold 2 --shares 3";
    let mut terminal = Terminal::start(shop.directory(), line);
    let mut custodians = Vec::new();
    for custodian in 1..=3 {
        terminal.wait_for(&format!(
            "{CLEAR}Custodian {custodian} of 3 of group.pbe: press <enter> to see your share"
        ));
        terminal.type_line("");
        let screen = terminal.wait_for("Note ALL values above, then press <enter>");
        custodians.push(Seen::read(&screen));
        // The next one sees nothing of it.
        terminal.type_line("");
    }
    terminal.wait_for(CLEAR);
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    for seen in &custodians {
        assert_eq!(screen.matches(&seen.value).count(), 1, "shown once");
    }
    let kcv = |screen: &str| {
        let (_, rest) = screen.split_once("Share check value ").unwrap();
        rest[..16].to_owned()
    };
    let made = kcv(&screen);

    let line = "dkek reshare group.pbe --enter-shares 2";
    let mut terminal = Terminal::start(shop.directory(), line);
    terminal.wait_for("Share 1 of 2 for group.pbe");
    terminal.wait_for("Prime       : ");
    terminal.type_line(&custodians[2].prime);
    for (number, seen) in [&custodians[2], &custodians[0]].into_iter().enumerate() {
        if number == 1 {
            terminal.wait_for("Share 2 of 2 for group.pbe");
        }
        terminal.wait_for("Share ID    : ");
        terminal.type_line(&seen.id);
        terminal.wait_for("Share value : ");
        terminal.type_hidden(&seen.value);
    }
    terminal.wait_for("New password: ");
    terminal.type_hidden(PASSWORD);
    terminal.wait_for("The same again: ");
    terminal.type_hidden(PASSWORD);
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(kcv(&screen), made);
    assert!(
        screen.contains("group.pbe.old, and it still opens"),
        "{screen}"
    );
    for secret in [PASSWORD, &custodians[2].value, &custodians[0].value] {
        assert!(!screen.contains(secret), "{screen}");
    }
}

#[test]
fn passwords_are_asked_for_without_echo() {
    let shop = Workshop::new();
    shop.write("card.pbe", &genuine("dkek-share-file"));
    shop.write("key.pem", &fixture("rsa-2048-encrypted.pem"));

    let mut terminal = Terminal::start(shop.directory(), "dkek kcv card.pbe");
    terminal.wait_for("Password of card.pbe: ");
    terminal.type_hidden(PASSWORD);
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("97E303855DC1C54D"), "{screen}");
    assert!(!screen.contains(PASSWORD), "{screen}");

    let line = "blob seal --dkek card.pbe --key key.pem -o key.bin";
    let mut terminal = Terminal::start(shop.directory(), line);
    terminal.wait_for("Password of key.pem: ");
    terminal.type_hidden("a wrong guess");
    let (code, screen) = terminal.end();
    assert_eq!(code, 4, "{screen}");
    assert!(!screen.contains("a wrong guess"), "{screen}");

    let mut terminal = Terminal::start(shop.directory(), "dkek new-share new.pbe");
    terminal.wait_for("New password: ");
    terminal.type_hidden("the first of two");
    terminal.wait_for("The same again: ");
    terminal.type_hidden("and another one");
    let (code, screen) = terminal.end();
    assert_eq!(code, 3, "{screen}");
    assert!(
        screen.contains("the two passwords are different"),
        "{screen}"
    );
    for typed in ["the first of two", "and another one"] {
        assert!(!screen.contains(typed), "{screen}");
    }
    assert_eq!(shop.names(), ["card.pbe", "key.pem"]);
}
