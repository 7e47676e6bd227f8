// SPDX-License-Identifier: GPL-2.0-only
/*
 * Valid and invalid requests to /dev/kalloc_kv from several threads, one of which changes the
 * requests meanwhile; then reads of a value.
 */

#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "fuzz.h"
#include "kalloc_kv.h"

static const unsigned int numbers[] = { KV_SET, KV_GET, KV_DELETE, KV_OPEN };
static struct kv_request shared;

static unsigned int any_number(void)
{
	if (one_in(8))
		return any();
	if (one_in(8))
		/* The right number, with another size or direction. */
		return numbers[below(NUMBER(numbers))] ^ 1u << (14 + below(18));
	return numbers[below(NUMBER(numbers))];
}

static unsigned int any_length(unsigned int limit)
{
	switch (below(6)) {
	case 0:
		return edge_number();
	case 1:
		return limit - 1 + below(3);
	default:
		return below(limit < 70 ? limit : one_in(4) ? limit : 70);
	}
}

static struct kv_request any_request(void)
{
	char *key = edge(1 + below(200));
	struct kv_request request = {
		.key = (unsigned long)key, .key_len = any_length(KV_KEY_MAX),
		.value = (unsigned long)edge(KV_VALUE_MAX), .value_len = any_length(KV_VALUE_MAX),
		.flags = one_in(3) ? below(4) : 0,
	};

	*key = 'a' + below(26);
	if (one_in(6))
		request.key = (unsigned long)any_address();
	if (one_in(6))
		request.value = (unsigned long)any_address();
	if (one_in(20))
		request.flags = any();
	if (one_in(20))
		request.reserved = any();
	return request;
}

/* Reads an open file that shows a value, and tries operations that it must reject. */
static void look(int device)
{
	char *room = edge(below(5000));
	struct iovec two[2] = { { room, below(5000) }, { edge(100), below(200) } };

	input(read(device, room, below(6000)));
	input(pread(device, any_address(), below(6000), edge_number() & LONG_MAX));
	input(readv(device, two, 2));
	input(preadv2(device, two, 2, one_in(2) ? -1 : (off_t)below(70000),
		      one_in(4) ? below(64) : 0));
	input(lseek(device, edge_number(), below(7)));
	if (input(write(device, room, below(100))) > 0 || input(ftruncate(device, 0)) == 0)
		wrong("written");
}

static void ask(int device)
{
	struct kv_request request = any_request();
	void *at = &request;

	if (one_in(10))
		at = any_address();
	else if (one_in(8))
		at = memcpy(edge(sizeof(request)), &request, sizeof(request));
	else if (one_in(10))
		/* The last bytes of the request are not mapped. */
		at = edge(sizeof(request) - 1 - below(31));
	input(ioctl(device, any_number(), at));
	if (one_in(6))
		look(device);
}

static void *asker(void *file)
{
	int device = *(int *)file;

	for (int i = 0; i < 30; i++)
		input(ioctl(device, numbers[i % NUMBER(numbers)], &shared));
	return NULL;
}

static void *changer(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3000; i++) {
		unsigned long key = i % 5 ? (unsigned long)&shared : ULONG_MAX - i;

		__atomic_store_n(&shared.key_len, i % 70, __ATOMIC_RELAXED);
		__atomic_store_n(&shared.value_len, i * 97 % (KV_VALUE_MAX + 3), __ATOMIC_RELAXED);
		__atomic_store_n(&shared.key, key, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void together(int device)
{
	pthread_t threads[3];

	shared = any_request();
	for (unsigned int i = 0; i < NUMBER(threads); i++)
		if (pthread_create(threads + i, NULL, i ? asker : changer, &device))
			die("thread");
	for (unsigned int i = 0; i < NUMBER(threads); i++)
		pthread_join(threads[i], NULL);
}

void requests(void)
{
	static const int modes[] = {
		O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_NONBLOCK, O_RDWR | O_APPEND,
	};
	int device = open("/dev/kalloc_kv", modes[one_in(2) ? 0 : below(NUMBER(modes))]);

	if (device < 0) {
		wrong("/dev/kalloc_kv: %s", strerror(errno));
		return;
	}
	for (int i = 0; i < 40; i++)
		ask(device);
	if (one_in(4))
		together(device);
	close(device);
}
