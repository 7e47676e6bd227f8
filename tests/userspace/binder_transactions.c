// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transactions over binder, between a server and clients in processes of their
 * own. Each transaction passes an object of the client and a buffer; the server
 * takes a reference, requests a death notification for some objects, and replies.
 *
 * usage: binder_transactions DEVICE CLIENTS TRANSACTIONS
 */

#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/android/binder.h>

enum { MAPPED = 256 << 10, STOP = 99 };

/* Commands for the next ioctl. */
static struct { unsigned char bytes[1024]; size_t len; } out;
static unsigned char in[4096];
static int fd;

static void put(const void *data, size_t size)
{
	memcpy(out.bytes + out.len, data, size);
	out.len += size;
}

static void command(__u32 code, const void *data, size_t size)
{
	put(&code, sizeof(code));
	put(data, size);
}

static void open_binder(const char *device)
{
	fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", device);
	if (mmap(NULL, MAPPED, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		err(1, "mmap");
}

/* Sends the commands, and returns the number of bytes that were received. */
static size_t exchange(void)
{
	struct binder_write_read call = {
		.write_size = out.len, .write_buffer = (uintptr_t)out.bytes,
		.read_size = sizeof(in), .read_buffer = (uintptr_t)in,
	};

	if (ioctl(fd, BINDER_WRITE_READ, &call))
		err(1, "BINDER_WRITE_READ");
	out.len = 0;
	return call.read_consumed;
}

struct payload {
	struct flat_binder_object object;
	char text[200];
};

static void transact(__u32 code, __u32 number, struct payload *payload, binder_size_t *offset)
{
	struct binder_transaction_data data = { .code = number };

	if (payload) {
		data.data_size = sizeof(*payload);
		data.data.ptr.buffer = (uintptr_t)payload;
		if (offset) {
			data.offsets_size = sizeof(*offset);
			data.data.ptr.offsets = (uintptr_t)offset;
		}
	}
	command(code, &data, sizeof(data));
}

/* Handles what was received. Returns the code of a transaction, or -1; sets `replied`. */
static int handle(size_t len, bool server, bool *replied)
{
	int number = -1;

	for (size_t at = 0; at < len;) {
		__u32 code;

		memcpy(&code, in + at, sizeof(code));
		at += sizeof(code);
		switch (code) {
		case BR_TRANSACTION:
		case BR_REPLY: {
			struct binder_transaction_data data;
			binder_uintptr_t buffer;

			memcpy(&data, in + at, sizeof(data));
			buffer = data.data.ptr.buffer;
			if (server && code == BR_TRANSACTION) {
				const struct payload *payload = (const void *)(uintptr_t)buffer;

				number = data.code;
				if (number != STOP && data.offsets_size) {
					__u32 ref = payload->object.handle;

					command(BC_ACQUIRE, &ref, sizeof(ref));
					if (number % 4 == 0) {
						struct binder_handle_cookie death = { ref, ref };

						command(BC_REQUEST_DEATH_NOTIFICATION, &death,
							sizeof(death));
					} else {
						command(BC_RELEASE, &ref, sizeof(ref));
					}
				}
			}
			if (code == BR_REPLY)
				*replied = true;
			command(BC_FREE_BUFFER, &buffer, sizeof(buffer));
			break;
		}
		case BR_INCREFS:
		case BR_ACQUIRE: {
			struct binder_ptr_cookie object;

			memcpy(&object, in + at, sizeof(object));
			command(code == BR_INCREFS ? BC_INCREFS_DONE : BC_ACQUIRE_DONE, &object,
				sizeof(object));
			break;
		}
		case BR_DEAD_BINDER: {
			binder_uintptr_t cookie;

			memcpy(&cookie, in + at, sizeof(cookie));
			command(BC_DEAD_BINDER_DONE, &cookie, sizeof(cookie));
			break;
		}
		case BR_DEAD_REPLY:
		case BR_FAILED_REPLY:
			errx(1, "a transaction failed: %#x", code);
		}
		at += _IOC_SIZE(code);
	}
	return number;
}

static void serve(const char *device, int ready, int clients)
{
	struct flat_binder_object object = { .hdr.type = BINDER_TYPE_BINDER };
	bool replied;

	open_binder(device);
	if (ioctl(fd, BINDER_SET_CONTEXT_MGR_EXT, &object))
		err(1, "BINDER_SET_CONTEXT_MGR_EXT");
	if (write(ready, "", 1) != 1)
		err(1, "write");
	command(BC_ENTER_LOOPER, NULL, 0);
	while (clients > 0) {
		int number = handle(exchange(), true, &replied);

		if (number >= 0) {
			static struct payload answer;

			transact(BC_REPLY, 0, &answer, NULL);
		}
		clients -= number == STOP;
	}
	/* The last reply. */
	exchange();
	exit(0);
}

static void request(const char *device, int transactions)
{
	struct payload payload = { .object = { .hdr.type = BINDER_TYPE_BINDER, .cookie = 1 } };
	binder_size_t offset = offsetof(struct payload, object);

	open_binder(device);
	for (int i = 0; i <= transactions; i++) {
		bool replied = false;

		/* An object of its own for every fourth transaction. */
		payload.object.binder = 16 * (1 + i / 4);
		if (i == transactions)
			transact(BC_TRANSACTION, STOP, NULL, NULL);
		else
			transact(BC_TRANSACTION, i % STOP, &payload, &offset);
		while (!replied)
			handle(exchange(), false, &replied);
	}
	exit(0);
}

int main(int argc, char **argv)
{
	int ends[2], clients, status, failed = 0;
	char byte;

	if (argc != 4)
		errx(2, "usage: %s DEVICE CLIENTS TRANSACTIONS", argv[0]);
	clients = atoi(argv[2]);
	if (pipe(ends))
		err(1, "pipe");
	if (!fork())
		serve(argv[1], ends[1], clients);
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		errx(1, "no server");
	for (int i = 0; i < clients; i++)
		if (!fork())
			request(argv[1], atoi(argv[3]));
	while (wait(&status) > 0)
		failed |= status;
	printf("%d transactions%s\n", clients * atoi(argv[3]), failed ? ", failed" : "");
	return !!failed;
}
