use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Tells what it received and answers with as many bytes as the first two say, and 9000.
struct Recorder(Sender<Vec<u8>>);

impl VirtualCard for Recorder {
    fn atr(&self) -> &[u8] {
        &[0x3B, 0x80]
    }
    fn power_on(&mut self) {}
    fn power_off(&mut self) {}
    fn reset(&mut self) {}
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.0.send(command.to_vec()).unwrap();
        let length = u16::from_be_bytes([command[0], command[1]]);
        let mut response = vec![0x5A; usize::from(length)];
        response.extend_from_slice(&[0x90, 0x00]);
        response
    }
}

fn reader(persona: Persona) -> (InReader, Receiver<Vec<u8>>) {
    let (told, seen) = channel();
    (InReader::new(Box::new(Recorder(told)), persona), seen)
}

/// A command of this many bytes that asks for a response with this many data bytes.
fn command(length: usize, answer: u16) -> Vec<u8> {
    let [high, low] = answer.to_be_bytes();
    let mut command = vec![high, low, 0, 0, 0, 1];
    command.resize(length, 7);
    command
}

#[test]
fn full_and_chaining_readers_pass_everything() {
    for persona in [Persona::Full, Persona::T1Chaining] {
        let (mut reader, seen) = reader(persona);
        reader.power_on();
        for (length, answer) in [(4, 0), (254, 252), (255, 253), (1014, 1012), (5000, 4000)] {
            let sent = command(length, answer);
            assert_eq!(reader.transmit(&sent).len(), usize::from(answer) + 2);
            assert_eq!(seen.recv().unwrap(), sent);
        }
        // Numbers of blocks start anew on both sides.
        reader.reset();
        assert_eq!(reader.transmit(&command(300, 1)), [0x5A, 0x90, 0x00]);
    }
}

#[test]
fn a_short_reader_keeps_extended_commands_to_itself() {
    let (mut reader, seen) = reader(Persona::ShortApdu);
    let short: [&[u8]; 4] = [
        &[0, 1, 0, 0],
        &[0, 1, 0, 0, 0],
        &[0, 1, 0, 0, 1, 9],
        &[0, 1, 0, 0, 1, 9, 0],
    ];
    for sent in short {
        assert_eq!(reader.transmit(sent), [0x5A, 0x90, 0x00]);
        assert_eq!(seen.recv().unwrap(), sent);
    }
    let extended: [&[u8]; 4] = [
        &[0, 1, 0, 0, 0, 0, 0],
        &[0, 1, 0, 0, 0, 0, 1, 9],
        &[0, 1, 0, 0, 0, 0, 1, 9, 0, 0],
        &command(1000, 1),
    ];
    for sent in extended {
        assert_eq!(reader.transmit(sent), [0x67, 0x00]);
        assert!(seen.try_recv().is_err(), "it reached the card");
    }
}

#[test]
fn a_cutting_reader_loses_the_end_of_what_is_longer_than_1014_bytes() {
    let (mut reader, seen) = reader(Persona::Cut1014);
    for length in [1013, 1014, 1015, 1500] {
        let sent = command(length, 1);
        reader.transmit(&sent);
        assert_eq!(seen.recv().unwrap(), sent[..length.min(1014)]);
    }
    let status = |reader: &mut InReader, answer| {
        let response = reader.transmit(&command(8, answer));
        (response.len(), response[response.len() - 2..].to_vec())
    };
    assert_eq!(status(&mut reader, 1012), (1014, vec![0x90, 0x00]));
    assert_eq!(status(&mut reader, 1013), (1014, vec![0x5A, 0x90]));
    assert_eq!(status(&mut reader, 2000), (1014, vec![0x5A, 0x5A]));
}

#[test]
fn personas_have_names() {
    for (persona, name, _) in Persona::ALL {
        assert_eq!(Persona::by_name(name), Some(persona));
    }
    assert_eq!(Persona::by_name("none"), None);
    assert_eq!(Persona::default(), Persona::Full);
}
