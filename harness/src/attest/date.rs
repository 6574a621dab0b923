//! Calendar dates, as certificates have them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A day from 2000 to 2099; ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// Reads six digits YYMMDD, one in each byte; `None` for what is no date.
    #[must_use]
    pub fn from_digits(digits: [u8; 6]) -> Option<Self> {
        if digits.iter().any(|digit| *digit > 9) {
            return None;
        }
        let [y1, y0, m1, m0, d1, d0] = digits;
        let date = Self {
            year: 2000 + u16::from(10 * y1 + y0),
            month: 10 * m1 + m0,
            day: 10 * d1 + d0,
        };
        ((1..=12).contains(&date.month) && (1..=31).contains(&date.day)).then_some(date)
    }

    /// Today in UTC, by this machine's clock.
    #[must_use]
    pub fn today() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self::from_days(since.map_or(0, |since| since.as_secs() / 86_400))
    }

    /// The day this many days after 1 January 1970.
    #[must_use]
    pub fn from_days(days: u64) -> Self {
        let leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let (mut year, mut left) = (1970, days);
        while left >= 365 + u64::from(leap(year)) {
            left -= 365 + u64::from(leap(year));
            year += 1;
        }
        let february = 28 + u64::from(leap(year));
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 1;
        for length in lengths {
            if left < length {
                break;
            }
            left -= length;
            month += 1;
        }
        Self {
            year: u16::try_from(year).unwrap_or(u16::MAX),
            month,
            day: u8::try_from(left + 1).unwrap_or(u8::MAX),
        }
    }

    /// Days since 1 January 1970. A day that its month has not, such as 31 February, counts as that
    /// many days after the month's first.
    #[must_use]
    pub fn days(self) -> i64 {
        // Years are counted from March on, so that the leap day is the last of its year.
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let year = if month <= 2 { year - 1 } else { year };
        let before = 365 * year + year / 4 - year / 100 + year / 400;
        let months = ((month + 9) % 12 * 306 + 5) / 10;
        before + months + i64::from(self.day) - 1 - 719_468
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_1970() {
        let rows = [
            (0, "1970-01-01"),
            (10_957, "2000-01-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_453, "2025-12-31"),
            (20_454, "2026-01-01"),
            (21_974, "2030-03-01"),
        ];
        for (days, text) in rows {
            let date = Date::from_days(days);
            assert_eq!(date.to_string(), text);
            assert_eq!(date.days(), i64::try_from(days).unwrap());
        }
    }

    #[test]
    fn digits_make_dates_and_dates_an_order() {
        let date = |digits| Date::from_digits(digits).map(|date| date.to_string());
        assert_eq!(date([2, 6, 0, 5, 2, 8]).as_deref(), Some("2026-05-28"));
        for wrong in [
            [2, 6, 1, 3, 0, 1],
            [2, 6, 0, 0, 0, 1],
            [2, 6, 0, 1, 3, 2],
            [0, 0, 0, 1, 0, 10],
        ] {
            assert_eq!(date(wrong), None);
        }
        assert!(Date::from_digits([2, 5, 1, 2, 3, 1]) < Date::from_digits([2, 6, 0, 1, 0, 1]));
    }
}
