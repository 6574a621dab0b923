//! A card of this process that does not answer every command as it should.

use hsm2_emulator::card::Card;
use hsm2_emulator::transport::VirtualCard;

/// A card, and what becomes of its commands.
pub(crate) struct Altered<F> {
    pub(crate) card: Card,
    pub(crate) transmit: F,
}

/// Whether it reads EF 2F02.
pub(crate) fn reads_certificates(command: &[u8]) -> bool {
    command.starts_with(&[0x00, 0xb1, 0x2f, 0x02])
}

/// Cuts EF 2F02 after the device's own certificate, as old devices have it.
pub(crate) fn own_certificate_alone(command: &[u8], response: &mut Vec<u8>) {
    // 7F21 81 and the length of the rest, which is a byte.
    if reads_certificates(command)
        && let [0x7f, 0x21, 0x81, rest, ..] = *response.as_slice()
    {
        let end = response.len() - 2;
        response.drain((4 + usize::from(rest)).min(end)..end);
    }
}

impl<F: FnMut(&mut Card, &[u8]) -> Vec<u8> + Send> VirtualCard for Altered<F> {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn power_on(&mut self) {
        self.card.power_on();
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        (self.transmit)(&mut self.card, command)
    }
}
