// SPDX-License-Identifier: GPL-2.0-only
/* Random numbers, numbers at limits, and addresses that a kernel must not trust. */

#include <sys/mman.h>

#include "fuzz.h"

static unsigned long state;

void seed_random(unsigned long seed)
{
	state = seed;
}

/* splitmix64 */
unsigned long any(void)
{
	unsigned long z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

unsigned long below(unsigned long limit)
{
	return limit ? any() % limit : 0;
}

bool one_in(unsigned int times)
{
	return !below(times);
}

unsigned long edge_number(void)
{
	/* Limits of types, of pages, and of the modules. */
	static const unsigned long edges[] = {
		0, 1, 7, 8, 64, 255, 256, 1000, PAGE, 4 * PAGE, 65535, 65536, 100000,
		256 * PAGE, 1024 * PAGE, 4096 * PAGE, 262144 * PAGE, INT_MAX, UINT_MAX, LONG_MAX,
		ULONG_MAX,
	};

	if (one_in(4))
		return any() >> below(64);
	return edges[below(NUMBER(edges))] + below(3) - 1;
}

char *edge(size_t size)
{
	static char *room;

	if (!room) {
		room = mmap(NULL, EDGE + PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (room == MAP_FAILED || mprotect(room + EDGE, PAGE, PROT_NONE))
			die("room");
	}
	return room + EDGE - (size < EDGE ? size : EDGE);
}

void *any_address(void)
{
	switch (below(8)) {
	case 0:
		return NULL;
	case 1:
		return (void *)-1;
	case 2:
		/* An address in the kernel's half. */
		return (void *)(0xffff888000000000 + below(1 << 30));
	case 3:
		return (void *)0x7ffffffff000;
	case 4:
		return (void *)any();
	default:
		return edge(below(EDGE));
	}
}
