// SPDX-License-Identifier: GPL-2.0-only

//! A driver of a bus that knows nothing of registration: its module is made by the kernel's macro.

use kalloc::{
    slab::Options,
    KVec,
    KmemCache, //
};
use kernel::{
    device::Core,
    pci,
    prelude::*, //
};

kalloc::sites! {
    Rings: kmalloc([u64]), "plain_ring";
    Nodes: cache(u64), "plain_node";
}

struct Driver;

struct Data {
    _ring: KVec<u64, Rings>,
}

kernel::pci_device_table!(
    TABLE,
    <Driver as pci::Driver>::IdInfo,
    [
        // The devices of no class: `edu` and `pci-testdev` of QEMU.
        (pci::DeviceId::from_class(0x00ff00, 0xffffff), ())
    ]
);

impl pci::Driver for Driver {
    type IdInfo = ();
    type Data<'bound> = Data;
    const ID_TABLE: pci::IdTable<Self::IdInfo> = &TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        let nodes = KmemCache::<Nodes>::new(Options::new())?;
        let node = nodes.alloc(7, GFP_KERNEL)?;
        dev_info!(pdev, "node {}\n", *node);
        Ok(Data {
            _ring: KVec::with_capacity(512, GFP_KERNEL)?,
        })
    }
}

kernel::module_pci_driver! {
    type: Driver,
    name: "plain_bus",
    authors: ["The kalloc authors"],
    description: "A driver that does not register its sites, for the tests of kalloc",
    license: "GPL",
}
