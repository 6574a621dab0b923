//! Under which conditions a key may be used, as SELECT of the key shows them.

use crate::der::{Malformed, Reader};

/// Conditions of use of a key.
///
/// ```text
/// 62 or 6F { ..., A5 { [90 04 uses left] [91 n algorithms] [92 01 slot] } }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// How often it may still be used; nothing: without end.
    pub uses_left: Option<u32>,
    /// Identifiers of what it may be used for; nothing: everything.
    pub algorithms: Option<Vec<u8>>,
    /// Slot of the key domain it belongs to.
    pub domain: Option<u8>,
}

/// What the vendor's host takes for "not counted".
const NOT_COUNTED: u32 = 0xffff_ffff;

impl Conditions {
    /// Reads the template of a key.
    ///
    /// # Errors
    /// [`Malformed`] when it does not read, or a condition has another length than it must.
    pub fn parse(template: &[u8]) -> Result<Self, Malformed> {
        let frame = Reader::new(template).element()?;
        if !matches!(frame.tag, 0x62 | 0x6f) {
            return Err(Malformed::new(0, "the template is neither 62 nor 6F"));
        }
        let mut found = Self::default();
        let mut fields = frame.reader();
        while !fields.is_empty() {
            let field = fields.element()?;
            let mut conditions = field.reader();
            while field.tag == 0xa5 && !conditions.is_empty() {
                let condition = conditions.element()?;
                let wrong = || Malformed::new(condition.offset, "a condition of a wrong length");
                match (condition.tag, condition.content) {
                    (0x90, count) => {
                        let count = count.try_into().map_err(|_| wrong())?;
                        let count = u32::from_be_bytes(count);
                        found.uses_left = (count != NOT_COUNTED).then_some(count);
                    }
                    (0x91, algorithms) => found.algorithms = Some(algorithms.to_vec()),
                    (0x92, &[slot]) => found.domain = Some(slot),
                    (0x92, _) => return Err(wrong()),
                    _ => {}
                }
            }
        }
        Ok(found)
    }

    /// Whether the key may be used for this.
    #[must_use]
    pub fn allow(&self, algorithm: u8) -> bool {
        let listed = |list: &Vec<u8>| list.contains(&algorithm);
        self.algorithms.as_ref().is_none_or(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_alone_and_together() {
        let none = Conditions::default();
        let whole = Conditions {
            uses_left: Some(5),
            algorithms: Some(vec![0x70, 0x92]),
            domain: Some(2),
        };
        let rows: [(&str, Option<Conditions>); 8] = [
            ("620483 02CC01", Some(none.clone())),
            ("6F0483 02CC01", Some(none.clone())),
            ("620F A50D 900400000005 91027092 920102", Some(whole)),
            ("6208 A506 9004FFFFFFFF", Some(none)),
            ("6207 A505 9003000005", None),
            ("6206 A504 92020001", None),
            ("6108 A506 900400000005", None),
            ("6208 A506 900400", None),
        ];
        for (template, expected) in rows {
            let digits: String = template.split_whitespace().collect();
            let found = Conditions::parse(&hex::decode(digits).unwrap()).ok();
            assert_eq!(found, expected, "{template}");
        }
    }

    #[test]
    fn a_key_without_a_list_may_do_everything() {
        let listed = Conditions {
            algorithms: Some(vec![0x70]),
            ..Conditions::default()
        };
        assert!(listed.allow(0x70) && !listed.allow(0x92));
        assert!(Conditions::default().allow(0x92));
    }
}
