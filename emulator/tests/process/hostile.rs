//! `serve --script` and `serve --mutate` through the socket.

use crate::support::{Reader, Served};

const CHALLENGE: &[u8] = &[0x00, 0x84, 0x00, 0x00, 0x08];
const CERTIFICATES: &[u8] = &[0x00, 0xB1, 0x2F, 0x02, 0x04, 0x54, 0x02, 0x00, 0x00, 0x00];

fn served(script: &str) -> (Served, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.json");
    std::fs::write(&path, script).unwrap();
    let served = Served::start(&[
        "--ephemeral",
        "--listen",
        "127.0.0.1:0",
        "--script",
        path.to_str().unwrap(),
    ]);
    (served, folder)
}

fn connected(served: &Served) -> Reader {
    let mut reader = served.reader(0);
    reader.select();
    reader
}

#[test]
fn silence_is_no_frame_and_the_card_goes_on() {
    let (served, _folder) =
        served(r#"[{"on": {"name": "GET CHALLENGE", "nth": 1}, "do": ["silence"]}]"#);
    let mut reader = connected(&served);
    reader.send(CHALLENGE);
    // The next answer that comes is that of the next command.
    assert_eq!(reader.ask(&[0x00, 0x20, 0x01]), [0x67, 0x00]);
    assert_eq!(reader.ask(CHALLENGE).len(), 10);
    drop(reader);
    served.stop();
}

#[test]
fn a_removed_card_hangs_up_and_comes_back() {
    let (served, _folder) =
        served(r#"[{"on": {"name": "GET CHALLENGE", "nth": 2}, "do": ["remove"]}]"#);
    let mut reader = connected(&served);
    assert_eq!(reader.ask(CHALLENGE).len(), 10);
    assert_eq!(reader.try_ask(CHALLENGE), None);
    let mut reader = connected(&served);
    assert_eq!(reader.ask(CHALLENGE).len(), 10);
    drop(reader);
    served.stop();
}

#[test]
fn the_same_seeds_make_the_same_bytes() {
    let run = |mutate: &str| {
        let arguments = [
            "--ephemeral",
            "--listen",
            "127.0.0.1:0",
            "--seed",
            "01",
            "--mutate",
            mutate,
            "--mutate-rate",
            "50",
        ];
        let served = Served::start(&arguments);
        let mut reader = served.reader(0);
        reader.send(&[0x01]);
        let select = [
            0x00, 0xA4, 0x04, 0x00, 11, 0xE8, 0x2B, 6, 1, 4, 1, 0x81, 0xC3, 0x1F, 2, 1, 0,
        ];
        let mut answers = vec![reader.ask(&select)];
        for _ in 0..40 {
            answers.push(reader.ask(CERTIFICATES));
            answers.push(reader.ask(CHALLENGE));
        }
        drop(reader);
        served.stop();
        answers
    };
    let first = run("2A");
    assert_eq!(first, run("2A"));
    assert_ne!(first, run("2B"));
}
