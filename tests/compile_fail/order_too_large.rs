// SPDX-License-Identifier: GPL-2.0-only
//! H40: an order cannot be above MAX_PAGE_ORDER.
//! error: order above MAX_PAGE_ORDER

use kalloc::Order;

#[inline(never)]
pub fn case() -> Order {
    Order::of::<11>()
}
