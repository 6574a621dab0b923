//! How many tries of the user PIN are left, as far as the card's answers tell.

/// Never more than there are, as long as only what is seen here changes them.
#[derive(Debug, Default)]
pub(super) struct Tries {
    left: Option<u8>,
    /// The most that were seen: as many there are again after the right PIN, at the least.
    most: Option<u8>,
}

impl Tries {
    /// A PIN that was just set with so many tries.
    pub(super) fn new(tries: Option<u8>) -> Self {
        Self {
            left: tries,
            most: tries,
        }
    }

    pub(super) fn left(&self) -> Option<u8> {
        self.left
    }

    /// What the card says when it is asked without a PIN.
    pub(super) fn told(&mut self, status: u16) {
        let left = match status.to_be_bytes() {
            [0x63, counter] if counter >> 4 == 0xc => counter & 0xf,
            [0x69, 0x83] => 0,
            _ => return,
        };
        self.left = Some(left);
        self.most = self.most.max(self.left);
    }

    /// What the card says to a PIN.
    pub(super) fn answered(&mut self, status: u16) {
        match status.to_be_bytes() {
            [0x90, 0x00] => self.left = self.most,
            [0x63, _] | [0x69, 0x83] => self.told(status),
            // Whether that was a try is not known.
            _ => self.left = self.left.map(|left| left.saturating_sub(1)),
        }
    }
}
