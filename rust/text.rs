// SPDX-License-Identifier: GPL-2.0

//! A line of text in columns, put together in place.
//!
//! Formatting a row of a dozen numbers by the general machinery takes several times as long as
//! finding out the numbers; a table may have ten thousand rows.

/// A line of up to `N` bytes. What does not fit is left out.
pub(crate) struct Line<const N: usize> {
    text: [u8; N],
    len: usize,
}

/// The digits of the largest `u64`.
const DIGITS: usize = 20;

impl<const N: usize> Line<N> {
    /// An empty line.
    pub(crate) const fn new() -> Self {
        Line {
            text: [0; N],
            len: 0,
        }
    }

    /// Adds `text`.
    #[inline]
    pub(crate) fn text(&mut self, text: &[u8]) -> &mut Self {
        let end = self.len + text.len();
        if let Some(to) = self.text.get_mut(self.len..end) {
            to.copy_from_slice(text);
            self.len = end;
        }
        self
    }

    /// Adds blanks.
    #[inline]
    pub(crate) fn blanks(&mut self, count: usize) -> &mut Self {
        let end = self.len + count;
        if let Some(to) = self.text.get_mut(self.len..end) {
            to.fill(b' ');
            self.len = end;
        }
        self
    }

    /// Adds `number` behind as many blanks as make it `width` wide, if it is not wider.
    #[inline]
    pub(crate) fn number(&mut self, width: usize, mut number: u64) -> &mut Self {
        let mut digits = [0; DIGITS];
        let mut count = 0;
        for digit in digits.iter_mut().rev() {
            // CAST: A digit.
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            count += 1;
            if number == 0 {
                break;
            }
        }
        self.blanks(width.saturating_sub(count));
        self.text(digits.get(DIGITS - count..).unwrap_or_default())
    }

    /// The line.
    pub(crate) fn get(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }
}
