// SPDX-License-Identifier: GPL-2.0-only

//! The C ids of NUMA nodes.
//!
//! C header: [`include/linux/nodemask.h`](srctree/include/linux/nodemask.h)

use crate::sys::bindings;
use kernel::{
    alloc::NumaNode,
    ffi::c_int, //
};

/// Returns the C node id of `node`, or `None` if the machine has no such node.
///
/// For a missing node, C would follow an invalid pointer.
#[inline]
pub(crate) fn node_id(node: NumaNode) -> Option<c_int> {
    if node == NumaNode::NO_NODE {
        return Some(bindings::NUMA_NO_NODE);
    }
    named_node_id(node)
}

/// Returns the id of a node other than `NO_NODE`.
///
/// [`NumaNode`] does not expose its id, but implements comparison.
#[cold]
fn named_node_id(node: NumaNode) -> Option<c_int> {
    (0..)
        .map_while(|id| Some((id, NumaNode::new(id).ok()?)))
        .find(|&(_, candidate)| candidate == node)
        .map(|(id, _)| id)
        // SAFETY: `NumaNode::new` accepts only ids below MAX_NUMNODES.
        .filter(|&id| unsafe { bindings::kalloc_helper_node_online(id) })
}
