//! A virtual card that nobody takes for one, as somebody's device.

use std::cell::RefCell;
use std::rc::Rc;

use crate::transport::embedded::Embedded;
use crate::transport::{Target, TransportError};

/// A device that writes down what reached it.
pub(crate) struct Foreign {
    pub(crate) card: Embedded,
    pub(crate) seen: Rc<RefCell<Vec<Vec<u8>>>>,
    /// What comes into the reader at the next reset.
    pub(crate) next: Option<Embedded>,
}

impl Foreign {
    pub(crate) fn new(card: Embedded) -> Self {
        Self {
            card,
            seen: Rc::default(),
            next: None,
        }
    }
}

impl Target for Foreign {
    fn describe(&self) -> String {
        "a reader".into()
    }

    fn atr(&self) -> Vec<u8> {
        self.card.atr()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.seen.borrow_mut().push(command.to_vec());
        let mut response = self.card.transmit(command)?;
        if command.starts_with(&[0x00, 0xb1, 0x2f, 0x02])
            && let Some(at) = response.len().checked_sub(3)
            && let Some(byte) = response.get_mut(at)
        {
            *byte ^= 1;
        }
        Ok(response)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        if let Some(next) = self.next.take() {
            self.card = next;
        }
        self.card.reset()
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.card.power_cycle()
    }
}
