// SPDX-License-Identifier: GPL-2.0-only

//! A driver of a bus, which is bound to two devices. Its module is made by a macro of the bus.

use kalloc::KVec;
use kernel::{
    device::Core,
    pci,
    prelude::*, //
};

kalloc::sites! {
    Rings: kmalloc([u64]), "two_ring";
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
        kalloc::register(kernel::module::this_module::<DriverModule>(), SITES)?;
        dev_info!(pdev, "bound\n");
        Ok(Data {
            _ring: KVec::with_capacity(512, GFP_KERNEL)?,
        })
    }
}

kalloc::module_pci_driver! {
    type: Driver,
    name: "two_devices",
    authors: ["The kalloc authors"],
    description: "A driver of two devices, for the tests of kalloc",
    license: "GPL",
}
