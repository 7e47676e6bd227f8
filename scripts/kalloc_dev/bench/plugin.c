// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin of QEMU (TCG): counts the instructions of the kernel between two
 * marks of bench/measure.rs, by address, and the cache lines that they touch.
 *
 * For each window it writes a line "window INSTRUCTIONS DATA_LINES CODE_LINES",
 * and for each address a line "ADDRESS COUNT DISASSEMBLY".
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* QEMU's docs/devel/tcg-plugins: Debian has no package with the header. */
#define EXPORT __attribute__((visibility("default")))
#define READS_AND_WRITES 3

struct qemu_plugin_tb;
struct qemu_plugin_insn;

typedef void (*on_block)(unsigned long id, struct qemu_plugin_tb *tb);
typedef void (*on_insn)(unsigned int cpu, void *data);
typedef void (*on_access)(unsigned int cpu, unsigned int info, unsigned long address, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(unsigned long id, on_block cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, on_insn cb,
					    int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, on_access cb,
				      int flags, int accesses, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t nth);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to,
			     size_t len);
unsigned long qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
char *qemu_plugin_insn_disas(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 4;

/* nopl 0x??40414b(%rax): the fourth byte is 1 at the start, and 0 at the end. */
static const unsigned char mark[] = { 0x0f, 0x1f, 0x80, 'K', 'A', '@' };

struct place {
	unsigned long address, count;
	struct place *next;
	char *text;
	int mark; /* 0, or 1 + the fourth byte */
};

#define CHAINS 65536
#define LINES 0x100000
#define LINE_SHIFT 6
/* Keeps the lines of code apart from those of data. */
#define CODE 0x4000000000000000UL

static struct place *places[CHAINS];
static unsigned long lines[LINES];
static unsigned long instructions, data_lines, code_lines;
static bool counting;
static FILE *out;

static struct place *place_of(unsigned long address, struct qemu_plugin_insn *insn)
{
	struct place **chain = &places[(address >> 1) % CHAINS], *place;
	unsigned char bytes[sizeof(mark) + 1] = { 0 };

	for (place = *chain; place; place = place->next)
		if (place->address == address)
			return place;
	place = calloc(1, sizeof(*place));
	if (!place)
		abort();
	qemu_plugin_insn_data(insn, bytes, sizeof(bytes));
	if (!memcmp(bytes, mark, sizeof(mark)))
		place->mark = 1 + bytes[sizeof(mark)];
	place->address = address;
	place->text = qemu_plugin_insn_disas(insn);
	place->next = *chain;
	*chain = place;
	return place;
}

/* Returns whether this window has not touched the line before. */
static bool is_new(unsigned long key)
{
	unsigned long at = key * 0x9e3779b97f4a7c15UL >> 44;

	while (lines[at] && lines[at] != key)
		at = (at + 1) % LINES;
	if (lines[at])
		return false;
	lines[at] = key;
	return true;
}

static void start(void)
{
	for (size_t i = 0; i < CHAINS; i++)
		for (struct place *place = places[i]; place; place = place->next)
			place->count = 0;
	memset(lines, 0, sizeof(lines));
	instructions = 0;
	data_lines = 0;
	code_lines = 0;
	counting = true;
}

static void stop(void)
{
	if (!counting)
		return;
	counting = false;
	fprintf(out, "window %lu %lu %lu\n", instructions, data_lines, code_lines);
	for (size_t i = 0; i < CHAINS; i++)
		for (struct place *place = places[i]; place; place = place->next)
			if (place->count)
				fprintf(out, "%lx %lu %s\n", place->address,
					place->count, place->text);
	fflush(out);
}

static void executed(unsigned int cpu, void *data)
{
	struct place *place = data;

	if (place->mark) {
		place->mark == 2 ? start() : stop();
		return;
	}
	if (!counting)
		return;
	place->count++;
	instructions++;
	code_lines += is_new(place->address >> LINE_SHIFT | CODE);
}

static void accessed(unsigned int cpu, unsigned int info, unsigned long address, void *data)
{
	if (counting)
		data_lines += is_new((address >> LINE_SHIFT) + 1);
}

static void translated(unsigned long id, struct qemu_plugin_tb *tb)
{
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		unsigned long address = qemu_plugin_insn_vaddr(insn);
		struct place *place;

		/* The kernel has the upper half of the addresses. */
		if (!(address >> 63))
			continue;
		place = place_of(address, insn);
		qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, 0, place);
		if (!place->mark)
			qemu_plugin_register_vcpu_mem_cb(insn, accessed, 0,
							 READS_AND_WRITES, place);
	}
}

EXPORT int qemu_plugin_install(unsigned long id, const void *info, int argc, char **argv)
{
	out = argc == 1 && !strncmp(argv[0], "out=", 4) ? fopen(argv[0] + 4, "w") : NULL;
	if (!out)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
