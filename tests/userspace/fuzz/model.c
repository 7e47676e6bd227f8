// SPDX-License-Identifier: GPL-2.0-only
/*
 * A second implementation of /dev/kalloc_kv. It predicts the value of each key, the result of each
 * request, the contents of an open file, the list and the counters. This program is the only user
 * of the device.
 */

#include <sys/ioctl.h>
#include <sys/mman.h>

#include "fuzz.h"
#include "kalloc_kv.h"

#define PAIRS 10
#define FILES 6
#define UNTOUCHED 0x5a

/* Bytes that a number determines. */
struct content {
	unsigned long seed;
	size_t length;
};

static struct pair {
	char key[KV_KEY_MAX];
	unsigned int length;
	bool there;
	struct content value;
} pairs[PAIRS];

/* Open files: two of each access mode. */
static struct file {
	int device, access;
	bool shows;
	struct content content;
} files[FILES];

static struct counted {
	unsigned long keys, set, got, deleted, opened;
} counted;

/* All errors of a request. The request fails with one of them, or succeeds if there is none. */
struct faults {
	int errors[8];
	unsigned int number;
};

static int list;

static void add(struct faults *faults, bool wrong, int error)
{
	if (wrong)
		faults->errors[faults->number++] = error;
}

static bool has(const struct faults *faults, int error)
{
	for (unsigned int i = 0; i < faults->number; i++)
		if (faults->errors[i] == error)
			return true;
	return false;
}

static char byte_of(const struct content *content, size_t at)
{
	return (content->seed >> (at % 8 * 8)) ^ at ^ at >> 8;
}

static void fill(char *bytes, const struct content *content)
{
	for (size_t at = 0; at < content->length; at++)
		bytes[at] = byte_of(content, at);
}

/* Returns whether these are the bytes of the content from an offset on. */
static bool is(const char *bytes, size_t length, const struct content *content, size_t from)
{
	for (size_t at = 0; at < length; at++)
		if (bytes[at] != byte_of(content, from + at))
			return false;
	return true;
}

static bool is_all(const char *bytes, size_t length, char byte)
{
	while (length && *bytes == byte)
		bytes++, length--;
	return !length;
}

/*
 * Chooses keys with a common prefix and all lengths. One may equal another one with a zero byte
 * appended.
 */
static void choose_keys(void)
{
	for (struct pair *pair = pairs; pair < pairs + PAIRS; pair++) {
		bool known;

		do {
			memset(pair, 0, sizeof(*pair));
			pair->length = one_in(4) ? KV_KEY_MAX - below(2) : 1 + below(5);
			for (unsigned int i = 0; i < pair->length; i++)
				pair->key[i] = one_in(8) ? (char)any() : "a\0b "[below(4)];
			known = false;
			for (struct pair *other = pairs; other < pair; other++)
				known |= other->length == pair->length &&
					 !memcmp(other->key, pair->key, pair->length);
		} while (known);
	}
}

static void reopen(struct file *file)
{
	static const int accesses[] = { O_RDWR, O_RDONLY, O_WRONLY };

	if (file->device >= 0)
		close(file->device);
	file->access = accesses[(file - files) % NUMBER(accesses)];
	file->shows = false;
	file->device = open("/dev/kalloc_kv", file->access);
	if (file->device < 0)
		die("/dev/kalloc_kv");
}

static size_t any_length(void)
{
	static const size_t edges[] = { 0, 1, PAGE - 1, PAGE, PAGE + 1, 8 * PAGE, KV_VALUE_MAX };

	return one_in(3) ? edges[below(NUMBER(edges))] : below(one_in(4) ? 8 * PAGE : 300);
}

/* Puts an error into a request. The length of the value is right, or that of some buffer. */
static void spoil(struct kv_request *request, unsigned int command, struct faults *faults)
{
	static const unsigned int lengths[] = { 0, KV_KEY_MAX + 1, UINT_MAX };

	switch (below(6)) {
	case 0:
		request->key_len = lengths[below(NUMBER(lengths))];
		add(faults, true, ERANGE);
		break;
	case 1:
		request->key = one_in(2) ? 0 : -PAGE;
		add(faults, true, EFAULT);
		break;
	case 2:
		request->reserved = one_in(2) ? 1u << below(32) : UINT_MAX;
		add(faults, true, EINVAL);
		break;
	case 3:
		request->flags = one_in(2) ? (KV_CREATE | KV_REPLACE) : 4u << below(30);
		add(faults, true, EINVAL);
		break;
	case 4:
		if (command == KV_SET)
			request->value_len = one_in(2) ? KV_VALUE_MAX + 1 : UINT_MAX;
		add(faults, command == KV_SET, E2BIG);
		break;
	default:
		request->value = one_in(2) ? 0 : -PAGE;
		add(faults, command == KV_SET && request->value_len, EFAULT);
	}
}

static bool writes(unsigned int command)
{
	return command == KV_SET || command == KV_DELETE;
}

/* Collects the errors that the store and the file would return. */
static void refuse(unsigned int command, const struct file *file, const struct pair *pair,
		   const struct kv_request *request, struct faults *faults)
{
	bool there = pair->there, gets = command == KV_GET && there && request->value_len;
	bool fits = request->value_len >= pair->value.length;
	/* The buffer is in the program's memory if the value is returned there. */
	bool nowhere = !request->value || request->value == -PAGE;

	add(faults, file->access == (writes(command) ? O_RDONLY : O_WRONLY), EBADF);
	if (command == KV_SET) {
		add(faults, request->flags & KV_CREATE && there, EEXIST);
		add(faults, request->flags & KV_REPLACE && !there, ENOENT);
	} else {
		add(faults, request->flags, EINVAL);
		add(faults, !there, ENOENT);
	}
	add(faults, command == KV_OPEN && file->shows, EBUSY);
	add(faults, gets && !fits, ERANGE);
	add(faults, gets && fits && nowhere && pair->value.length, EFAULT);
}

/* Checks the line with the totals after a request that failed or succeeded. */
static void check_counted(unsigned int command, const struct pair *pair, int error)
{
	struct counted now;
	char text[200] = "";

	if (pread(list, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "# %lu keys, set %lu got %lu deleted %lu opened %lu\n", &now.keys,
		   &now.set, &now.got, &now.deleted, &now.opened) != 5) {
		wrong("listed: %s", text);
		return;
	}
	counted.set += !error && command == KV_SET;
	counted.deleted += !error && command == KV_DELETE;
	counted.got += !error && command == KV_GET;
	counted.opened += !error && command == KV_OPEN;
	/* The value was found; the model does not predict whether such a request is counted. */
	if (pair->there && command == KV_GET && (error == ERANGE || error == EFAULT))
		counted.got = now.got == counted.got + 1 ? now.got : counted.got;
	if (pair->there && command == KV_OPEN && error == EBUSY)
		counted.opened = now.opened == counted.opened + 1 ? now.opened : counted.opened;
	text[strcspn(text, "\n")] = '\0';
	counted.keys = 0;
	for (pair = pairs; pair < pairs + PAIRS; pair++)
		counted.keys += pair->there;
	if (memcmp(&now, &counted, sizeof(now)))
		wrong("counted wrongly: %s, not %lu keys, set %lu got %lu deleted %lu opened %lu",
		      text, counted.keys, counted.set, counted.got, counted.deleted,
		      counted.opened);
	counted = now;
}

static const char *name_of(unsigned int command)
{
	return command == KV_SET ? "KV_SET" : command == KV_GET ? "KV_GET" :
	       command == KV_DELETE ? "KV_DELETE" : "KV_OPEN";
}

/* Makes a request and compares the answer with the prediction. Returns the error. */
static int answer(unsigned int command, struct file *file, struct kv_request *request,
		  const struct pair *pair, const struct faults *faults)
{
	long result = input(ioctl(file->device, command, request));
	long right = command == KV_GET ? (long)pair->value.length : 0;
	int error = result < 0 ? errno : 0;

	/* The allocation of a large block may fail. */
	if (error == ENOMEM && command == KV_SET && request->value_len > 8 * PAGE)
		return error;
	if (faults->number ? !has(faults, error) : result != right)
		wrong("%s, access %d, key %u%s, value %u, flags %#x, reserved %#x: %ld, %s, not %s",
		      name_of(command), file->access, request->key_len,
		      pair->there ? ", there" : "", request->value_len, request->flags,
		      request->reserved, result, error ? strerrorname_np(error) : "ok",
		      faults->number ? strerrorname_np(faults->errors[0]) : "ok");
	return error;
}

/* Applies the effect of a successful request to the model, and checks its result. */
static void done(unsigned int command, struct file *file, struct pair *pair,
		 const struct content *value, const char *room, size_t size)
{
	size_t length = size ? pair->value.length : 0;

	switch (command) {
	case KV_SET:
		pair->there = true;
		pair->value = *value;
		break;
	case KV_GET:
		if (length > size || !is(room, length, &pair->value, 0) ||
		    !is_all(room + length, size - length, UNTOUCHED))
			wrong("KV_GET: another value of %zu bytes, in %zu", length, size);
		break;
	case KV_DELETE:
		pair->there = false;
		break;
	default:
		file->shows = true;
		file->content = pair->value;
	}
}

static void ask(unsigned int command, struct file *file, struct pair *pair, bool plain)
{
	struct content value = { any(), any_length() };
	struct kv_request request = { .key = (unsigned long)pair->key, .key_len = pair->length };
	struct faults faults = { .number = 0 };
	size_t size = 0;
	char *room = edge(0);
	int error;

	if (command == KV_SET || command == KV_GET) {
		size = value.length;
		if (command == KV_GET && !one_in(4))
			/* Just large enough, just too small, and larger. */
			size = pair->value.length + below(3) - (pair->value.length > 0);
		if (command == KV_GET && size > KV_VALUE_MAX)
			size = KV_VALUE_MAX;
		room = edge(size);
		memset(room, UNTOUCHED, size);
		if (command == KV_SET)
			fill(room, &value);
		request.value = (unsigned long)room;
		request.value_len = size;
	}
	if (command == KV_SET && !plain && one_in(3))
		request.flags = one_in(2) ? KV_CREATE : KV_REPLACE;
	if (!plain && one_in(4))
		spoil(&request, command, &faults);
	refuse(command, file, pair, &request, &faults);
	error = answer(command, file, &request, pair, &faults);
	if (!error)
		done(command, file, pair, &value, room, size);
	else if (command == KV_GET && error != EFAULT && !is_all(room, size, UNTOUCHED))
		wrong("KV_GET is %s, and has written", strerrorname_np(error));
	check_counted(command, pair, error);
}

/*
 * Checks a file that shows a value: a part of it, its end, and one mapped page, padded with zeroes.
 */
static void look(const struct file *file)
{
	size_t length = file->content.length, from = below(length + 2), size = 1 + below(9000);
	size_t pages = length ? (length + PAGE - 1) / PAGE : 1, page = below(pages + 1);
	size_t expected = from >= length ? 0 : length - from < size ? length - from : size;
	char *room = edge(size), *at;
	long got;

	if (file->access == O_WRONLY)
		return;
	got = input(pread(file->device, room, size, from));
	if (!file->shows) {
		if (got >= 0 || errno != ENODATA)
			wrong("read from a file that shows nothing: %ld", got);
		return;
	}
	if (got != (long)expected || !is(room, expected, &file->content, from))
		wrong("read: %ld bytes of %zu from %zu on, and not %zu", got, length, from,
		      expected);
	at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file->device, page * PAGE);
	input(at == MAP_FAILED ? -1 : 0);
	if (at == MAP_FAILED) {
		if (page < pages)
			wrong("page %zu of %zu: %s", page, pages, strerrorname_np(errno));
	} else if (page == pages) {
		wrong("page %zu of %zu: mapped", page, pages);
	} else {
		size_t rest = length - page * PAGE < PAGE ? length - page * PAGE : PAGE;

		if (!is(at, rest, &file->content, page * PAGE) ||
		    !is_all(at + rest, PAGE - rest, 0))
			wrong("page %zu of %zu shows something else", page, pages);
	}
	if (at != MAP_FAILED)
		munmap(at, PAGE);
}

/* Checks that the list has each key exactly once, and nothing else, for any size of read. */
static void check_list(void)
{
	static char text[1 << 14];
	size_t length = 0, piece = one_in(2) ? sizeof(text) : 1 + below(300);
	unsigned int lines = 0;
	long got;

	lseek(list, 0, SEEK_SET);
	while ((got = read(list, text + length, piece < sizeof(text) - 1 - length ? piece :
			   sizeof(text) - 1 - length)) > 0)
		length += got;
	text[length] = '\0';
	for (const struct pair *pair = pairs; pair < pairs + PAIRS; pair++) {
		char line[20 + 4 * KV_KEY_MAX];
		size_t at = sprintf(line, "\n%zu ", pair->value.length);
		const char *found;

		for (unsigned int i = 0; i < pair->length; i++) {
			unsigned char byte = pair->key[i];

			at += sprintf(line + at, byte > ' ' && byte < 0x7f && byte != '\\' ? "%c" :
				      "\\x%02x", byte);
		}
		line[at++] = '\n';
		line[at] = '\0';
		found = pair->there ? strstr(text, line) : NULL;
		if (pair->there && (!found || strstr(found + 1, line)))
			wrong("%s listed:%s", found ? "twice" : "not", line);
	}
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	if (lines != counted.keys + 2)
		wrong("%u lines are listed for %lu keys", lines, counted.keys);
}

void model(void)
{
	static const unsigned int commands[] = {
		KV_SET, KV_SET, KV_SET, KV_GET, KV_GET, KV_GET, KV_DELETE, KV_OPEN, KV_OPEN,
	};
	char text[200] = "";

	delete_keys();
	list = open("/proc/kalloc_kv", O_RDONLY);
	if (read(list, text, sizeof(text) - 1) <= 0 ||
	    sscanf(text, "# 0 keys, set %lu got %lu deleted %lu opened %lu", &counted.set,
		   &counted.got, &counted.deleted, &counted.opened) != 4)
		wrong("emptied, it lists: %s", text);
	choose_keys();
	for (struct file *file = files; file < files + FILES; file++) {
		file->device = -1;
		reopen(file);
	}
	for (int i = 0; i < 60; i++) {
		/* The first file permits all operations, mostly. */
		struct file *file = files + (one_in(3) ? below(FILES) : 0);

		if (one_in(6))
			reopen(file);
		ask(commands[below(NUMBER(commands))], file, pairs + below(PAIRS), false);
		if (one_in(4))
			look(files + below(FILES));
		if (one_in(8))
			check_list();
	}
	for (struct pair *pair = pairs; pair < pairs + PAIRS; pair++)
		if (pair->there)
			ask(KV_DELETE, files, pair, true);
	check_list();
	for (struct file *file = files; file < files + FILES; file++) {
		look(file);
		close(file->device);
	}
	close(list);
}
