use hsm2_emulator::crypto::Curve;
use hsm2_emulator::identity::{ISSUER_NAME, ROOT_NAME};
use hsm2_emulator::tlv::Writer;

use super::action::{Action, Operand};
use crate::apdu::{SELECT, extended, generate_ec, read, select_key};
use crate::fixture::{self, CUSTODIAN, Papers};

/// What the cards made during the session, for later commands.
pub(super) struct Made {
    pub(super) blobs: Vec<Vec<u8>>,
    pub(super) session_pin: Vec<u8>,
}

/// Prefixes of file identifiers that mean something.
fn file(kind: u8, number: u8) -> u16 {
    const KINDS: [u8; 9] = [0xCA, 0xCD, 0xCE, 0xCC, 0xC4, 0xC8, 0xC9, 0x2F, 0x00];
    u16::from_be_bytes([KINDS[usize::from(kind) % KINDS.len()], number])
}

fn attributes(uses: Option<u8>, algorithms: Option<&Vec<u8>>, domain: Option<u8>) -> Vec<u8> {
    let mut objects = Writer::new();
    if let Some(uses) = uses {
        objects = objects.element(0x90, &[0, 0, 0, uses]);
    }
    if let Some(algorithms) = algorithms {
        objects = objects.element(0x91, &algorithms[..algorithms.len().min(20)]);
    }
    if let Some(domain) = domain {
        objects = objects.element(0x92, &[domain % 6]);
    }
    objects.into_vec()
}

fn operand(operand: &Operand, papers: &Papers) -> Vec<u8> {
    match operand {
        Operand::Bytes(bytes) => bytes[..bytes.len().min(1000)].to_vec(),
        Operand::Point(p256) => {
            let curve = if *p256 {
                Curve::Secp256r1
            } else {
                fixture::CURVE
            };
            curve.parameters().g.to_vec()
        }
        Operand::Block(byte) => vec![*byte; 128],
        Operand::Exchange(card) => papers.exchange[usize::from(*card)].clone(),
        Operand::Membership(card) => papers.memberships[usize::from(*card)].clone(),
        Operand::Custodian => papers.custodian.clone(),
        Operand::Blob => papers.blob.clone(),
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each action")]
pub(super) fn command(action: &Action, papers: &Papers, made: &Made) -> Vec<u8> {
    let reference = |so: bool| if so { 0x88 } else { 0x81 };
    let key = |key: u8| key % 9;
    match action {
        // The last of these are made elsewhere.
        Action::Select
        | Action::Reset
        | Action::PowerCycle
        | Action::Trust { .. }
        | Action::OpenChannel
        | Action::Enrol { .. }
        | Action::Authenticate { .. } => SELECT.to_vec(),
        Action::VerifySessionPin => extended(0x00, 0x20, 0, 0x81, &made.session_pin),
        Action::SelectFile { kind, number, p2 } => {
            extended(0x00, 0xA4, 0, *p2, &file(*kind, *number).to_be_bytes())
        }
        Action::Verify { so, code } => extended(0x00, 0x20, 0, reference(*so), code.bytes()),
        Action::Change { so, old, new } => {
            let data = [old.bytes(), new.bytes()].concat();
            extended(0x00, 0x24, 0, reference(*so), &data)
        }
        Action::ResetCounter { p1, so, new } => {
            let data = [so.bytes(), new.bytes()].concat();
            extended(0x00, 0x2C, p1 % 4, 0x81, &data)
        }
        Action::Initialize {
            options,
            pin,
            so,
            tries,
            dkek,
            quorum,
            slots,
        } => {
            let mut template = Writer::new().element(0x80, &[0, *options]);
            template = template
                .element(0x81, pin.bytes())
                .element(0x82, so.bytes());
            for (tag, value) in [(0x91, tries), (0x92, dkek), (0x97, slots)] {
                if let Some(value) = value {
                    template = template.element(tag, &[value % 6]);
                }
            }
            if let Some((total, required)) = quorum {
                template = template.element(0x93, &[total % 4, required % 4]);
            }
            let mut command = vec![0x80, 0x50, 0, 0];
            let template = template.into_vec();
            command.push(u8::try_from(template.len()).unwrap_or(0));
            command.extend_from_slice(&template);
            command
        }
        Action::Share { slot, byte } => fixture::share(slot % 6, *byte),
        Action::Domain {
            action,
            slot,
            shares,
        } => {
            let data = shares.map_or(Vec::new(), |shares| vec![shares % 4]);
            extended(0x80, 0x52, action % 6, slot % 6, &data)
        }
        Action::Join { slot, card } => {
            let membership = &papers.memberships[usize::from(*card)];
            extended(0x80, 0x52, 0x02, slot % 6, membership)
        }
        Action::GenerateEc {
            key: number,
            curve,
            uses,
            algorithms,
            domain,
        } => {
            let curve = Curve::ALL[usize::from(*curve) % Curve::ALL.len()];
            let attributes = attributes(*uses, algorithms.as_ref(), *domain);
            generate_ec(key(*number), curve, b"ZZKEY00001", &attributes)
        }
        Action::GenerateAes {
            key: number,
            size,
            uses,
            algorithms,
            domain,
        } => {
            let attributes = attributes(*uses, algorithms.as_ref(), *domain);
            extended(0x00, 0x48, key(*number), 0xB0 + size % 4, &attributes)
        }
        Action::Sign {
            key: number,
            algorithm,
            data,
        } => {
            let data = &data[..data.len().min(600)];
            extended(0x80, 0x68, key(*number), *algorithm, data)
        }
        Action::Decipher {
            key: number,
            algorithm,
            data,
        } => {
            let data = operand(data, papers);
            extended(0x80, 0x62, key(*number), *algorithm, &data)
        }
        Action::Cipher {
            key: number,
            algorithm,
            blocks,
            data,
        } => {
            let data = vec![*data; usize::from(*blocks)];
            extended(0x80, 0x78, key(*number), *algorithm, &data)
        }
        Action::Wrap { key: number } => fixture::wrap(key(*number)),
        Action::Unwrap { key: number, blob } => fixture::unwrap(
            key(*number),
            &made.blobs[usize::from(*blob) % made.blobs.len()],
        ),
        Action::UnwrapScratch { key: number } => extended(0x80, 0x74, key(*number), 0x93, &[]),
        Action::Write {
            kind,
            number,
            offset,
            content,
        } => {
            let content = &content[..content.len().min(1000)];
            crate::apdu::update(file(*kind, *number), u16::from(*offset), content)
        }
        Action::WriteCurrent { offset, content } => {
            let content = &content[..content.len().min(1000)];
            extended(0x00, 0xD6, 0, *offset, content)
        }
        Action::Scratch { paper } => crate::apdu::update(0x2F10, 0, &operand(paper, papers)),
        Action::Read {
            kind,
            number,
            offset,
            le,
        } => {
            let mut command = read(file(*kind, *number));
            command[10] = *offset;
            if let Some(last) = command.last_mut() {
                *last = *le;
            }
            command
        }
        Action::ReadCurrent { offset, le } => vec![0x00, 0xB0, 0, *offset, *le],
        Action::Delete { kind, number } => crate::apdu::delete(file(*kind, *number)),
        Action::Enumerate => extended(0x80, 0x58, 0, 0, &[]),
        Action::Challenge { length } => vec![0x00, 0x84, 0, 0, *length],
        Action::SelectKey {
            authentication,
            name,
        } => {
            let names: [&[u8]; 5] = [
                ROOT_NAME,
                ISSUER_NAME,
                &papers.names[0],
                &papers.names[1],
                CUSTODIAN,
            ];
            let purpose = if *authentication { 0xA4 } else { 0xB6 };
            select_key(purpose, names[usize::from(*name) % names.len()])
        }
        Action::VerifyCertificate { certificate } => {
            let certificates = [&papers.issuer, &papers.devices[0], &papers.devices[1]];
            let certificate = certificates[usize::from(*certificate) % 3];
            extended(0x00, 0x2A, 0x00, 0xBE, certificate)
        }
        Action::Register { index } => extended(0x80, 0x54, 0, index % 4, &papers.custodian),
        Action::Custodians { p1, p2 } => extended(0x80, 0x54, p1 % 4, p2 % 4, &[]),
        Action::SessionPin { p1 } => extended(0x80, 0x5A, p1 % 3, 0x81, &[]),
        Action::Derive {
            key: parent,
            new,
            parameter,
        } => extended(0x80, 0x76, key(*parent), key(*new), &[0x98, *parameter]),
        Action::Raw(bytes) => bytes[..bytes.len().min(1300)].to_vec(),
    }
}
