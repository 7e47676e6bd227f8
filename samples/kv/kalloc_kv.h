/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The interface of /dev/kalloc_kv for programs. Documentation/reference/samples.rst
 * describes it.
 */

#ifndef KALLOC_KV_H
#define KALLOC_KV_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Limits of the bytes of a key (at least 1) and of a value (possibly 0). */
#define KV_KEY_MAX	64
#define KV_VALUE_MAX	65536
/* Limits of the number of keys, and of the bytes of all values, including those still mapped. */
#define KV_KEYS_MAX	1024
#define KV_BYTES_MAX	(16 << 20)

struct kv_request {
	__u64 key;		/* Address of the key. */
	__u64 value;		/* Address of the value, or of the buffer for it. */
	__u32 key_len;
	__u32 value_len;
	__u32 flags;		/* Flags of KV_SET; 0 for the other commands. */
	__u32 reserved;		/* Must be 0. */
};

/* Flags of KV_SET: the key must not exist, or must exist. */
#define KV_CREATE	1
#define KV_REPLACE	2

/* Sets the value of a key. */
#define KV_SET		_IOW('k', 0xa0, struct kv_request)
/*
 * Copies the value of a key, and returns its length. With an empty buffer, only
 * returns the length.
 */
#define KV_GET		_IOW('k', 0xa1, struct kv_request)
/* Deletes a key. */
#define KV_DELETE	_IOW('k', 0xa2, struct kv_request)
/*
 * Makes read() and mmap() of this open file show the current value of a key.
 * Works once per file.
 */
#define KV_OPEN		_IOW('k', 0xa3, struct kv_request)

#endif
