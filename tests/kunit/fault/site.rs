// SPDX-License-Identifier: GPL-2.0-only

use kernel::prelude::*;

kalloc::sites! {
    pub(crate) Watched: kmalloc(u64), "kunit_fault_site";
}

/// Sites for one case to register: more than twice as many as one registration has allocations.
mod late {
    kalloc::sites! {
        #![manual]
        pub(crate) A: kmalloc(u32), "kunit_fault_late_a";
        pub(crate) B: pages, "kunit_fault_late_b";
        pub(crate) C: cache(u64), "kunit_fault_late_c";
        pub(crate) D: vmalloc(u64), "kunit_fault_late_d";
        pub(crate) E: kvmalloc([u8]), "kunit_fault_late_e";
        pub(crate) F: kmalloc([u8]), "kunit_fault_late_f";
        pub(crate) G: pages, "kunit_fault_late_g";
        pub(crate) H: cache(u32), "kunit_fault_late_h";
        pub(crate) I: vmalloc([u8]), "kunit_fault_late_i";
        pub(crate) J: kvmalloc(u64), "kunit_fault_late_j";
        pub(crate) K: kmalloc(u64), "kunit_fault_late_k";
        pub(crate) L: pages, "kunit_fault_late_l";
        pub(crate) M: cache(u64), "kunit_fault_late_m";
        pub(crate) N: vmalloc(u64), "kunit_fault_late_n";
        pub(crate) O: kvmalloc([u8]), "kunit_fault_late_o";
        pub(crate) P: kmalloc([u8]), "kunit_fault_late_p";
        pub(crate) Q: pages, "kunit_fault_late_q";
        pub(crate) R: cache(u32), "kunit_fault_late_r";
        pub(crate) S: vmalloc([u8]), "kunit_fault_late_s";
        pub(crate) T: kvmalloc(u64), "kunit_fault_late_t";
        pub(crate) U: kmalloc(u64), "kunit_fault_late_u";
        pub(crate) V: pages, "kunit_fault_late_v";
        pub(crate) W: cache(u16), "kunit_fault_late_w";
        pub(crate) X: vmalloc(u32), "kunit_fault_late_x";
    }
}

#[kunit_tests(kalloc_fault_site)]
mod tests {
    use super::*;
    use crate::{
        fault::{
            self,
            refuse_each,
            Counts, //
        },
        site::MODULE, //
    };
    use kalloc::{
        KBox,
        Site,
        Tag, //
    };

    /// Returns the first site that is not registered, as a list of one.
    fn next() -> Result<&'static [fn() -> &'static Site]> {
        let mut sites = late::SITES.chunks(1);
        let next = sites.find(|one| one.iter().any(|site| !site().is_registered()));
        next.ok_or(ENOENT)
    }

    #[test]
    fn register_keeps_site_on_failure() -> Result {
        fault::needed();
        let module = *MODULE.as_ref().ok_or(ENOENT)?;
        let registered =
            |sites: &[fn() -> &'static Site]| sites.iter().all(|s| s().is_registered());
        let faults = refuse_each::<Watched, _, _>(
            Counts::Not,
            next,
            |&mut sites| {
                kalloc::register(module, sites)?;
                Ok::<_, Error>(registered(sites))
            },
            |&sites| !registered(sites),
        )?;
        assert!(faults.survived >= 1 && faults.needs_memory);
        let word = KBox::<u32, late::A>::new(5, GFP_KERNEL)?;
        assert!(late::A::site().totals().live() == 1 && *word == 5);
        Ok(())
    }
}
