//! A card of this process that does not answer every command as it should.

use hsm2_emulator::card::Card;
use hsm2_emulator::transport::VirtualCard;

/// A card, and what becomes of its commands.
pub(crate) struct Altered<F> {
    pub(crate) card: Card,
    pub(crate) transmit: F,
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
