// SPDX-License-Identifier: GPL-2.0-only

//! The modules of drivers whose kernel crate's macro has no `init` of their own.
//!
//! The sites of a module are registered when it is loaded, thus before its first `probe`. The macros
//! are therefore those of the kernel crate, under the names that a driver imports from this crate.
//!
//! C header: [`include/linux/device/driver.h`](srctree/include/linux/device/driver.h)

/// Defines a macro that passes its input on to the macro of the kernel crate with this name.
macro_rules! forward {
    ($dollar:tt $($name:ident: $bus:literal,)+) => { $(
        #[doc = concat!("Declares a module with a driver of ", $bus, " (`kernel::", stringify!($name), "!`).")]
        ///
        /// The module's sites are registered before the driver's first `probe`.
        ///
        /// # Examples
        ///
        /// ```
        /// // In place of the kernel crate's macro. The tutorial of a PCI driver uses it.
        /// use kalloc::module_pci_driver;
        /// ```
        #[macro_export]
        macro_rules! $name {
            ($dollar($dollar input:tt)*) => { ::kernel::$name! { $dollar($dollar input)* } };
        }
    )+ };
}

forward! { $
    module_auxiliary_driver: "the auxiliary bus",
    module_i2c_driver: "an I2C device",
    module_pci_driver: "a PCI device",
    module_phy_driver: "a network PHY",
    module_platform_driver: "a platform device",
    module_usb_driver: "a USB interface",
}
