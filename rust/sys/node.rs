// SPDX-License-Identifier: GPL-2.0

//! The C ids of NUMA nodes.
//!
//! C header: [`include/linux/nodemask.h`](srctree/include/linux/nodemask.h)

use crate::sys::bindings;
use kernel::{
    alloc::NumaNode,
    ffi::c_int, //
};

/// Returns the C node id of `node`; none if the machine has no such node, for which C would follow a
/// pointer that is not there.
#[inline]
pub(crate) fn node_id(node: NumaNode) -> Option<c_int> {
    if node == NumaNode::NO_NODE {
        return Some(bindings::NUMA_NO_NODE);
    }
    named_node_id(node)
}

/// [`NumaNode`] keeps its id to itself, but can be compared.
#[cold]
fn named_node_id(node: NumaNode) -> Option<c_int> {
    (0..)
        .map_while(|id| Some((id, NumaNode::new(id).ok()?)))
        .find(|&(_, candidate)| candidate == node)
        .map(|(id, _)| id)
        // SAFETY: The id is below MAX_NUMNODES, as `NumaNode::new` has seen to.
        .filter(|&id| unsafe { bindings::kalloc_helper_node_online(id) })
}
