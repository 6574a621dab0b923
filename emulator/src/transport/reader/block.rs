//! Blocks of T=1 (ISO/IEC 7816-3 section 11), as far as an undisturbed link needs them.
//!
//! ```text
//! block   NAD 00 ‖ PCB ‖ LEN ‖ INF ‖ LRC      LRC: exclusive or of all before
//! PCB     0 N(S) M 00000       information; M: more blocks follow
//!         1 0 0 N(R) 0000      acknowledgement; N(R): number of the block that is wanted next
//! ```
//!
//! Blocks are numbered 0, 1, 0, 1 ... in each direction since power on. After each block with M
//! set the receiver acknowledges.

use zeroize::Zeroizing;

/// Most bytes of INF: what the answer to reset of these cards states (TA3 = FE).
const INFORMATION_MAX: usize = 254;
/// NAD, PCB and LEN.
const PROLOGUE: usize = 3;
/// N(S) of an information block.
const NUMBER: u8 = 0x40;
/// M of an information block.
const MORE: u8 = 0x20;
/// An acknowledgement without errors.
const ACKNOWLEDGEMENT: u8 = 0x80;
/// N(R) of an acknowledgement.
const WANTED: u8 = 0x10;

/// A block that is not what the protocol wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault;

/// One end of the link.
#[derive(Debug, Default)]
struct End {
    /// Number of the next block it sends.
    sends: bool,
    /// Number of the next block it wants.
    wants: bool,
}

/// A reader, a card and the blocks between them.
#[derive(Debug, Default)]
pub(super) struct Link {
    reader: End,
    card: End,
}

type Message = Zeroizing<Vec<u8>>;

impl Link {
    /// Carries a command to the card.
    pub(super) fn carry_command(&mut self, command: &[u8]) -> Result<Message, Fault> {
        carry(command, &mut self.reader, &mut self.card)
    }

    /// Carries a response to the reader.
    pub(super) fn carry_response(&mut self, response: &[u8]) -> Result<Message, Fault> {
        carry(response, &mut self.card, &mut self.reader)
    }
}

fn carry(message: &[u8], from: &mut End, to: &mut End) -> Result<Message, Fault> {
    // All the room at once, so that no growing leaves copies behind.
    let mut whole = Zeroizing::new(Vec::with_capacity(message.len()));
    let mut chunks = message.chunks(INFORMATION_MAX).peekable();
    while let Some(chunk) = chunks.next() {
        let more = chunks.peek().is_some();
        to.take(&from.block(chunk, more), &mut whole)?;
        if more {
            from.take_acknowledgement(&to.acknowledgement())?;
        }
    }
    Ok(whole)
}

/// Adds prologue and epilogue.
fn block(pcb: u8, information: &[u8]) -> Message {
    let length = u8::try_from(information.len()).unwrap_or(u8::MAX);
    let mut block = Zeroizing::new(Vec::with_capacity(PROLOGUE + information.len() + 1));
    block.extend_from_slice(&[0x00, pcb, length]);
    block.extend_from_slice(information);
    let check = lrc(&block);
    block.push(check);
    block
}

fn lrc(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// Checks prologue and epilogue; PCB and INF are left.
fn open(block: &[u8]) -> Result<(u8, &[u8]), Fault> {
    let ([0x00, pcb, length], rest) = block.split_first_chunk::<PROLOGUE>().ok_or(Fault)? else {
        return Err(Fault);
    };
    let (_, information) = rest.split_last().ok_or(Fault)?;
    if lrc(block) != 0 || information.len() != usize::from(*length) {
        return Err(Fault);
    }
    Ok((*pcb, information))
}

fn bit(set: bool, mask: u8) -> u8 {
    if set { mask } else { 0 }
}

impl End {
    fn block(&mut self, information: &[u8], more: bool) -> Message {
        let pcb = bit(self.sends, NUMBER) | bit(more, MORE);
        self.sends = !self.sends;
        block(pcb, information)
    }

    /// Takes an information block with the number that is next.
    fn take(&mut self, block: &[u8], into: &mut Vec<u8>) -> Result<(), Fault> {
        let (pcb, information) = open(block)?;
        if pcb & !MORE != bit(self.wants, NUMBER) {
            return Err(Fault);
        }
        self.wants = !self.wants;
        into.extend_from_slice(information);
        Ok(())
    }

    fn acknowledgement(&self) -> Message {
        block(ACKNOWLEDGEMENT | bit(self.wants, WANTED), &[])
    }

    /// Takes the acknowledgement of the last block sent.
    fn take_acknowledgement(&self, block: &[u8]) -> Result<(), Fault> {
        match open(block)? {
            (pcb, []) if pcb == ACKNOWLEDGEMENT | bit(self.sends, WANTED) => Ok(()),
            _ => Err(Fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_a_chain_of_numbered_blocks() {
        let mut end = End::default();
        let first = end.block(&[0xAA; 254], true);
        assert_eq!(first[..3], [0x00, 0x20, 0xFE]);
        assert_eq!(first.len(), 3 + 254 + 1);
        // 254 times AA cancels out.
        assert_eq!(first.last(), Some(&(0x20 ^ 0xFE)));
        assert_eq!(*end.block(&[1, 2], false), [0x00, 0x40, 0x02, 1, 2, 0x41]);
        assert_eq!(*end.block(&[], false), [0x00, 0x00, 0x00, 0x00]);
    }

    #[test]
    fn messages_of_every_length_arrive_whole_in_both_directions() {
        let mut link = Link::default();
        for length in [1, 2, 253, 254, 255, 508, 509, 1232, 65_535] {
            let message: Vec<u8> = (0..length).map(|at: u32| at.to_le_bytes()[0]).collect();
            assert_eq!(*link.carry_command(&message).unwrap(), message, "{length}");
            assert_eq!(*link.carry_response(&message).unwrap(), message, "{length}");
        }
    }

    #[test]
    fn a_block_that_is_damaged_repeated_or_missing_is_noticed() {
        let mut sender = End::default();
        let good = sender.block(&[1, 2, 3], true);
        let second = sender.block(&[4], false);
        let take = |block: &[u8]| End::default().take(block, &mut Vec::new());
        assert_eq!(take(&good), Ok(()));
        for at in 0..good.len() {
            let mut damaged = good.to_vec();
            damaged[at] ^= 0x04;
            assert_eq!(take(&damaged), Err(Fault), "byte {at}");
        }
        for length in 0..good.len() {
            assert_eq!(take(&good[..length]), Err(Fault), "cut to {length}");
        }
        assert_eq!(take(&second), Err(Fault), "the first is missing");
        let mut receiver = End::default();
        receiver.take(&good, &mut Vec::new()).unwrap();
        assert_eq!(
            receiver.take(&good, &mut Vec::new()),
            Err(Fault),
            "repeated"
        );

        let acknowledgement = receiver.acknowledgement();
        assert_eq!(*acknowledgement, [0x00, 0x90, 0x00, 0x90]);
        let mut early = End::default();
        early.block(&[1], true);
        assert_eq!(early.take_acknowledgement(&acknowledgement), Ok(()));
        let stale = End::default().acknowledgement();
        assert_eq!(early.take_acknowledgement(&stale), Err(Fault));
    }
}
