// SPDX-License-Identifier: GPL-2.0-only

use kernel::{
    prelude::*,
    sync::SetOnce, //
};

/// A type whose name contains characters that JSON escapes.
#[expect(dead_code)]
pub(crate) struct Mark<const A: char, const B: char>(u64);

/// The line on which `Words` is declared.
const WORDS_LINE: u32 = line!() + 3;

kalloc::sites! {
    pub(crate) Words: kmalloc(u64), "kunit_site_word";
    /// Each site has its own line, whatever precedes the family.
    #[allow(dead_code)] pub(crate) Pairs: cache([u32; 2]), "kunit_site_pair";
    #[allow(dead_code)] pub(crate) Marks: kmalloc(Mark<'\\', '"'>), "kunit_site_mark";
}

/// Sites that are not registered when the module is loaded.
mod late {
    kalloc::sites! {
        #![manual]
        pub(crate) First: kmalloc(u32), "kunit_site_late";
        pub(crate) Taken: kmalloc(u32), "kunit_site_word";
    }
}

/// This module, for the tests that register sites.
pub(crate) static MODULE: SetOnce<&'static ThisModule> = SetOnce::new();

/// Stores a reference to this module.
pub(crate) fn remember(module: &'static ThisModule) {
    MODULE.populate(module);
}

#[kunit_tests(kalloc_site)]
mod tests {
    use super::*;
    use crate::Change;
    use kalloc::{
        KBox,
        Tag, //
    };

    #[test]
    fn site_attributes() {
        let site = Words::site();
        assert!(site.name() == "kunit_site_word");
        assert!(site.family() == "kmalloc");
        assert!(site.type_name() == "u64");
        // Another module has this case, too.
        assert!(["kalloc_kunit", "kalloc_fault_injection"].contains(&site.module()));
        assert!(site.unit() == 8);
        assert!(site.location().file() == file!());
        assert!(site.location().line() == WORDS_LINE);
        assert!(Pairs::site().location().line() == WORDS_LINE + 2);
        assert!(site.is_registered());
    }

    #[test]
    fn site_counts_other_sizes() -> Result {
        let change = Change::of::<Words>();
        let word = KBox::<u64, Words>::new(1, GFP_KERNEL)?;
        let bytes = KBox::<[u8; 3], Words>::new([1; 3], GFP_KERNEL)?;
        assert!(change.live() == (2, 11, 5));
        drop(word);
        assert!(change.live() == (1, 3, 5));
        drop(bytes);
        assert!(change.live() == (0, 0, 0));
        Ok(())
    }

    #[test]
    fn register_twice() -> Result {
        let module = *MODULE.as_ref().ok_or(ENOENT)?;
        let site = Words::site();
        let allocs = site.totals().allocs;
        drop(KBox::<u64, Words>::new(1, GFP_KERNEL)?);
        // The site keeps its counters.
        assert!(kalloc::register(module, SITES).is_ok());
        assert!(site.is_registered() && site.totals().allocs == allocs + 1);
        Ok(())
    }

    #[test]
    fn register_all_or_none() -> Result {
        let module = *MODULE.as_ref().ok_or(ENOENT)?;
        // The name of the second site is in use, so the first site is not registered either.
        assert!(kalloc::register(module, late::SITES) == Err(EEXIST));
        assert!(!late::First::site().is_registered());
        Ok(())
    }

    #[test]
    fn kbox_new_unregistered_site() -> Result {
        let word = KBox::<u32, late::First>::new(5, GFP_KERNEL)?;
        assert!(*word == 5);
        Ok(())
    }
}
