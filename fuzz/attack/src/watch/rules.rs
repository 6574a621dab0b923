use hsm2_emulator::id::{FileId, FileKind};
use hsm2_emulator::memory::{Memory, Options};
use hsm2_emulator::profile::Profile;
use hsm2_emulator::store::Change;

use super::{PIN_RECORDS, PINS, PinState, Subject, Watch, contains, presents};
use crate::apdu::Answer;

/// The rules, one function each.
impl Watch {
    pub(super) fn check_secrets(&self, memory: &Memory, answer: &Answer, header: [u8; 4]) {
        let made = self.start.secrets.parts_in(&answer.data);
        let made = made.chain(self.learned.parts_in(&answer.data));
        let chosen = self.chosen.parts_in(&answer.data);
        for (part, excused) in made
            .map(|part| (part, false))
            .chain(chosen.map(|part| (part, header[1] == 0x84 || is_public(memory, part))))
        {
            assert!(
                excused || self.said.iter().any(|said| contains(said, part)),
                "secret: {} bytes of a secret in the response to {:02X}",
                part.len(),
                header[1]
            );
        }
    }

    pub(super) fn check_tries(
        &self,
        before: &[Option<PinState>; 2],
        header: [u8; 4],
        data: &[u8],
        answer: &Answer,
    ) {
        let done = answer.status == 0x9000;
        let [_, ins, p1, p2] = header;
        let so_value = before[1].as_ref().map_or(&[][..], |pin| &pin.value);
        for (index, reference) in [(0, 0x81), (1, 0x88)] {
            let (Some(old), Some(new)) = (&before[index], &self.pins[index]) else {
                continue;
            };
            let presented = match ins {
                0x20 => done && p2 == reference && data == old.value,
                0x24 => p2 == reference && data.starts_with(&old.value),
                0x2C if index == 0 => {
                    done && (self.shadow.so_pin() || (p1 < 2 && data.starts_with(so_value)))
                }
                0x2C => p1 < 2 && data.starts_with(so_value),
                0x50 => done && contains(data, so_value),
                _ => false,
            };
            assert!(
                new.left <= old.left || presented,
                "tries: {:?} grew from {} to {} by {ins:02X}",
                PINS[index],
                old.left,
                new.left
            );
            assert!(
                new.left >= old.left || presents(ins),
                "tries: {:?} fell from {} to {} by {ins:02X}",
                PINS[index],
                old.left,
                new.left
            );
            let counted = answer.status & 0xFFF0 == 0x63C0 && ins == 0x20 && p2 == reference;
            assert!(
                !counted || data.is_empty() || new.left + 1 == old.left,
                "tries: a wrong {:?} left {} of {}",
                PINS[index],
                new.left,
                old.left
            );
        }
    }

    pub(super) fn check_writes(
        &self,
        commits: &[Vec<Change>],
        before: &[Option<PinState>; 2],
        header: [u8; 4],
        answer: &Answer,
    ) {
        let reads = matches!(
            header[1],
            0x22 | 0x2A | 0x58 | 0x82 | 0x84 | 0x86 | 0xA4 | 0xB0 | 0xB1
        );
        assert!(
            !reads || commits.is_empty(),
            "reading: {:02X} wrote to the store",
            header[1]
        );
        if answer.is_success() {
            return;
        }
        let pins_only = commits.iter().flatten().all(|change| match change {
            Change::Put(name, _) => PIN_RECORDS.contains(&name.as_slice()),
            Change::Delete(_) => false,
        });
        let value = |pin: &Option<PinState>| pin.as_ref().map(|pin| pin.value.clone());
        let same = before.iter().map(value).eq(self.pins.iter().map(value));
        assert!(
            pins_only && same,
            "failure: {:02X} answered {:04X} and changed the store",
            header[1],
            answer.status
        );
    }

    pub(super) fn check_access(
        &self,
        memory: &Memory,
        before: &[Option<PinState>; 2],
        header: [u8; 4],
        data: &[u8],
        answer: &Answer,
    ) {
        if !answer.is_success() {
            return;
        }
        let [_, ins, p1, p2] = header;
        let file = self.shadow.addressed(header).map(FileId::kind);
        let needed = match ins {
            0x46 | 0x48 | 0x5A | 0x62 | 0x68 | 0x72 | 0x74 | 0x76 | 0x78 | 0xD6 | 0xD7 | 0xE4 => {
                true
            }
            0x52 => p1 != 0,
            0x54 => p1 == 1,
            0xB0 | 0xB1 => file == Some(FileKind::PrivateData),
            0x20 | 0x24 | 0x50 if !data.is_empty() => {
                return self.check_presented(before, header, data);
            }
            0x2C => return self.check_reset(memory, data),
            _ => false,
        };
        assert!(
            !needed || self.shadow.user(memory),
            "access: {ins:02X} {p1:02X} {p2:02X} answered {:04X} to nobody",
            answer.status
        );
        assert!(
            !matches!((ins, file), (0xB0 | 0xB1, Some(FileKind::Key(_)))),
            "access: {ins:02X} {p1:02X} {p2:02X} read a key file"
        );
    }

    /// A command that a PIN must come with was done: the PIN was the right one.
    pub(super) fn check_presented(
        &self,
        before: &[Option<PinState>; 2],
        [_, ins, p1, p2]: [u8; 4],
        data: &[u8],
    ) {
        let index = usize::from(ins == 0x50 || p2 == 0x88);
        let Some(pin) = &before[index] else { return };
        let right = match ins {
            0x20 => {
                let session_pin = self.session_pins.iter().any(|known| known == data);
                data == pin.value || (index == 0 && session_pin)
            }
            0x24 => data.starts_with(&pin.value),
            _ => contains(data, &pin.value),
        };
        assert!(
            right,
            "access: {ins:02X} {p1:02X} {p2:02X} took a {:?} PIN that is none",
            PINS[index]
        );
    }

    pub(super) fn check_reset(&self, memory: &Memory, data: &[u8]) {
        let options = memory.options();
        assert!(
            options.has(Options::RESET_RETRY_COUNTER),
            "access: RESET RETRY COUNTER is not enabled"
        );
        let so_value = self.pins[1].as_ref().map_or(&[][..], |pin| &pin.value);
        assert!(
            self.shadow.so_pin() || data.starts_with(so_value),
            "access: RESET RETRY COUNTER without the SO-PIN"
        );
    }

    pub(super) fn check_session(&self, subject: &mut dyn Subject) {
        for reference in [0x81, 0x88] {
            let answer = subject.transmit(&[0x00, 0x20, 0x00, reference]);
            assert!(
                answer != [0x90, 0x00],
                "session: {reference:02X} is verified after SELECT"
            );
        }
    }

    pub(super) fn check_memory(&self, memory: &Memory) {
        let profile = profile(memory).unwrap();
        let (used, limit) = (memory.used(&profile.footprint), profile.memory);
        assert!(used <= limit, "memory: {used} of {limit} bytes used");
        let stored: usize = self
            .store
            .look(|records| records.values().map(|value| value.len()).sum());
        // Names, attributes and what PINs and domains take come on top.
        assert!(
            stored <= 2 * limit + 65_536,
            "memory: {stored} bytes stored"
        );
    }
}

/// Whether anybody may read these bytes. Cards are the same in every run, and so are their challenges:
/// a fuzzer learns what they say and makes it a PIN or a share, which then is no secret.
fn is_public(memory: &Memory, part: &[u8]) -> bool {
    let certified = memory
        .device()
        .is_ok_and(|device| contains(&device.certificates, part));
    let told = profile(memory).is_some_and(|profile| {
        let mut domains = memory.layout().ids().filter_map(|slot| memory.domain(slot));
        domains.any(|domain| contains(&domain.status(&profile.domains), part))
    });
    certified
        || told
        || memory.files().iter().any(|(id, file)| {
            id.kind() == FileKind::Public && contains(file.content.expose(), part)
        })
}

/// The profile that the card was made with.
fn profile(memory: &Memory) -> Option<&'static Profile> {
    Profile::by_name(&memory.device().ok()?.profile)
}
