/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What programs need to know of /dev/kalloc_kv; Documentation/reference/samples.rst tells the rest.
 */

#ifndef KALLOC_KV_H
#define KALLOC_KV_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Bytes of a key, at least one, and of a value, of which there may be none. */
#define KV_KEY_MAX	64
#define KV_VALUE_MAX	65536
/* Keys, and bytes that all values may take together, those included that are still mapped. */
#define KV_KEYS_MAX	1024
#define KV_BYTES_MAX	(16 << 20)

struct kv_request {
	__u64 key;		/* Address of the key. */
	__u64 value;		/* Address of the value, or of the room for it. */
	__u32 key_len;
	__u32 value_len;
	__u32 flags;		/* Of KV_SET; 0 for the others. */
	__u32 reserved;		/* 0 */
};

/* KV_SET: the key must not be there, or must be. */
#define KV_CREATE	1
#define KV_REPLACE	2

/* Gives a key a value. */
#define KV_SET		_IOW('k', 0xa0, struct kv_request)
/* Copies a key's value, and returns its length; without any room, only the latter. */
#define KV_GET		_IOW('k', 0xa1, struct kv_request)
/* Removes a key. */
#define KV_DELETE	_IOW('k', 0xa2, struct kv_request)
/* Makes a key's value, as it is now, what read() and mmap() of this open file show. Once only. */
#define KV_OPEN		_IOW('k', 0xa3, struct kv_request)

#endif
