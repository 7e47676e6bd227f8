// SPDX-License-Identifier: GPL-2.0-only

use crate::linked_slots::Slots;
use kernel::prelude::*;

#[kunit_tests(kalloc_slots)]
mod tests {
    use super::*;

    const SLOTS: usize = 16;

    /// The first of some addresses of code.
    const BASE: usize = 0xffff_ffff_c000_0000;

    fn address(number: usize) -> usize {
        BASE + 24 * number
    }

    #[test]
    fn slots_find_until_removed() -> Result {
        let table = Slots::<usize, SLOTS>::new();
        let values = [0usize; SLOTS - 1];
        for (number, value) in values.iter().enumerate() {
            assert!(table.find(address(number)).is_none());
            table.insert(address(number), value)?;
        }
        // The last slot ends every search.
        assert!(table.unused() == 1 && table.is_full());
        assert!(table.insert(address(SLOTS), &0) == Err(ENOSPC));
        assert!(table.find(address(SLOTS)).is_none());

        let is_odd = |number: usize| number % 2 == 1;
        table.remove(|key, _| is_odd((key - BASE) / 24));
        assert!(!table.is_full());
        for (number, value) in values.iter().enumerate() {
            let found = table.find(address(number)).map(|found| found.as_ptr());
            let expected = (!is_odd(number)).then_some(core::ptr::from_ref(value));
            assert!(found.map(|found| found.cast_const()) == expected);
        }
        Ok(())
    }

    #[test]
    fn slots_searches_stay_short() -> Result {
        let table = Slots::<usize, SLOTS>::new();
        // Many more addresses than slots, a few at a time.
        for round in 0..20 {
            for number in 0..SLOTS - 1 {
                table.insert(address(round * SLOTS + number), &0)?;
            }
            table.remove(|_, _| true);
            assert!(table.unused() == SLOTS);
        }
        Ok(())
    }
}
