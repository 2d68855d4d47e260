// Restores a packed executable in memory and jumps to it. docs/packing.md describes the file and the steps.
//
// Nothing runs before the whole file's checksum is right. Segments are filled through a writable mapping, which then gets the
// protection that the executable's headers ask for: no page is ever writable and executable.
//
// The loader has no data of its own and calls nothing: it runs at any address.

#include "base.h"

#if defined(__x86_64__)
#include "system_amd64.h"
#elif defined(__aarch64__)
#include "system_arm64.h"
#elif defined(__arm__)
#include "system_arm.h"
#elif defined(__mips__)
#include "system_mips.h"
#endif

// The fourth argument is the flags of fstatat: an empty name is the descriptor itself. The other calls have none or ignore it.
#define AT_EMPTY_PATH 0x1000

SYSTEM usize system(usize a, usize b, usize c, usize number) {
	return system_call(a, b, c, AT_EMPTY_PATH, 0, 0, number);
}

SYSTEM void on_signal(const struct action *action, struct action *previous) {
	system_call(SIGBUS, (usize)action, (usize)previous, SIGNAL_SET, 0, 0, SYS_RT_SIGACTION);
}

struct stream {
	u32 model, length, packed;
};

#include "lzma.h"
#include "code.h"
#include "functions.h"

// src/payload.rs writes this table.
struct segment {
	u32 address, in_file, in_memory, flags, offset, in_copy;
};

struct table {
	u32 magic, checksum, head_checksum, offset, packed_length, length, streams, image_hash, entry, headers, header_count, scratch;
	u32 copy_length, digest[8];
	u32 segments, parts;
	struct segment segment[];
};

struct part {
	u32 kind, start, length;
};

enum { PLAIN, CODE, FUNCTION_TABLE, FILE_ONLY };

// The linker puts the table right after the loader.
extern const struct table table_after_loader __attribute__((visibility("hidden")));

#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS 0x20
#define O_NONBLOCK 0x800
#endif
#ifndef PAGES_OF_OFFSET
#define PAGES_OF_OFFSET 0
#endif

#define AT_PHDR 3
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_ENTRY 9
#define AT_UID 11
#define AT_EUID 12
#define AT_GID 13
#define AT_EGID 14
#define AT_SECURE 23

SMALL void say(const char *text) {
	usize length = 0;
	while (text[length])
		length++;
	system(2, (usize)text, length, SYS_WRITE);
}

SMALL void fail(const char *message) {
	say("execpack: cannot start the packed program: ");
	say(message);
	say("\n");
	for (;;)
		system(126, 0, 0, SYS_EXIT_GROUP);
}

// A page of the file that is not there or cannot be read.
static void on_bus_error(int signal) {
	(void)signal;
	fail("the file is cut off or cannot be read");
}

SYSTEM usize mmap(usize address, usize length, usize protection, usize flags, usize file, usize offset) {
	return system_call(address, length, protection, flags, file, offset >> PAGES_OF_OFFSET, SYS_MMAP);
}

SMALL void close(usize file) {
	system(file, 0, 0, SYS_CLOSE);
}

SMALL void *map(usize address, usize length) {
	usize result = mmap(address, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1ul, 0);
	if (result > -4096ul)
		fail("not enough memory");
	// Without MAP_FIXED: what is in the way is not destroyed.
	if (address && result != address)
		fail("its addresses are taken");
	return (void *)result;
}

#include "share.h"

// Maps the segments: for decoding, readable and writable, or else with their own protection. What the file has of them comes from
// the shared copy, if there is one.
SMALL void map_segments(const struct table *table, usize page, usize file, int decoding) {
	const struct segment *segment = table->segment;
	u32 i;
	for (i = 0; i < table->segments; i++, segment++) {
		// PF_X is 1, PF_W 2, PF_R 4; PROT_READ is 1, PROT_WRITE 2, PROT_EXEC 4.
		u32 flags = segment->flags, protection = (flags >> 2 & 1) | (flags & 2) | (flags & 1) << 2;
		usize start = segment->address & -page, last = segment->address + page - 1, length;
		usize type = MAP_FIXED | MAP_PRIVATE;
		length = ((last + segment->in_memory) & -page) - start;
		if (decoding) {
			map(start, length);
			protection = PROT_READ | PROT_WRITE;
			type = MAP_FIXED | MAP_SHARED;
		}
		if (file <= -4096ul) {
			length = ((last + segment->in_file) & -page) - start;
			if (segment->in_file && mmap(start, length, protection, type, file, segment->in_copy & -page) != start)
				fail("not enough memory");
		} else if (!decoding && system(start, length, protection, SYS_MPROTECT)) {
			fail("the kernel forbids to make decoded code executable");
		}
	}
}

// The hash of nothing.
#define EMPTY 0x811c9dc5

// A hash over words: FNV-1a with a rotation, because otherwise the high bits of a word would change only the high bits of the sum.
// Every change of one word changes it.
FAST u32 hash(u32 sum, const u8 *bytes, const u8 *end) {
	while (bytes < end) {
		u32 next = *bytes, length = 1;
		if (end - bytes >= 4) {
			next = *(const unaligned32 *)bytes;
			length = 4;
		}
		sum = (sum ^ next) * 16777619;
		sum = sum << 15 | sum >> 17;
		bytes += length;
	}
	return sum;
}

// Unmaps the whole pages between two places of the file.
SMALL void release(usize from, usize to, usize page) {
	from = (from + page - 1) & -page;
	to &= -page;
	if (to > from)
		system(from, to - from, 0, SYS_MUNMAP);
}

// Decodes all parts, whose descriptions come after the segments', and whose streams come after the descriptions. What was decoded
// is unmapped at once.
INLINE void decode(const struct table *table, const u8 *packed, usize page) {
	const u32 *description = (const u32 *)(table->segment + table->segments);
	const u8 *first = packed;
	struct scratch scratch = {map(0, table->scratch)};
	u32 i, j;
	for (i = 0; i < table->parts; i++) {
		const struct part *part = (const struct part *)description;
		const struct stream *stream = (const struct stream *)(part + 1);
		u32 kind = part->kind & 255, count = part->kind >> 8;
		u8 *to = (u8 *)(usize)part->start;
		if (kind == FUNCTION_TABLE)
			join_functions(packed, stream, to, scratch);
		else if (kind != FILE_ONLY)
			decompress(packed, stream, to, scratch);
		if (kind == CODE)
			restore_code(to, part->length);
		for (j = 0; j < count; j++)
			packed += stream++->packed;
		description = (const u32 *)stream;
		release((usize)first, (usize)packed, page);
	}
	system((usize)scratch.next, table->scratch, 0, SYS_MUNMAP);
}

// Returns the program's first instruction; `stack` is what the kernel entered with.
__attribute__((used, minsize)) usize load(usize *stack) {
	const struct table *table = &table_after_loader;
	const u8 *file = (const u8 *)table - table->offset, *streams = (const u8 *)table + table->streams;
	usize *vector = stack + 1 + *stack + 1, *auxiliary, page, entry, copy = -1ul, values[32];
	const struct segment *segment;
	struct action bus_error, previous;
	u32 i, sum;
	int shared = 0;

	while (*vector++) {}
	memset(values, 0, sizeof values);
	for (auxiliary = vector; vector[0]; vector += 2)
		if (vector[0] < 32)
			values[vector[0]] = vector[1];
	page = values[AT_PAGESZ];

	prepare(&bus_error, on_bus_error);
	on_signal(&bus_error, &previous);
	sum = hash(EMPTY, file, (const u8 *)&table->checksum);
	sum = hash(sum, (const u8 *)&table->offset, streams);
	if (sum != table->head_checksum)
		fail("the file is damaged");

	if (!values[AT_SECURE]) {
		copy = find(table, values);
		shared = copy <= -4096ul;
		if (!shared)
			copy = create(table);
	}
	map_segments(table, page, shared ? -1ul : copy, 1);
	if (!shared) {
		if (hash(sum, streams, file + table->packed_length) != table->checksum)
			fail("the file is damaged");
		decode(table, streams, page);
		sum = EMPTY;
		for (i = 0, segment = table->segment; i < table->segments; i++, segment++) {
			usize start = segment->address, end = start + segment->in_file;
			sum = hash(sum, (const u8 *)start, (const u8 *)end);
			if (segment->flags & 1)
				synchronize(start, end);
		}
		if (sum != table->image_hash)
			fail("it decodes to something else");
	}
	map_segments(table, page, copy, 0);
	publish(copy);

	for (vector = auxiliary; vector[0]; vector += 2) {
		if (vector[0] == AT_PHDR)
			vector[1] = table->headers;
		if (vector[0] == AT_PHNUM)
			vector[1] = table->header_count;
		if (vector[0] == AT_ENTRY)
			vector[1] = table->entry;
	}
	// The table goes last, with what is left of the file.
	entry = table->entry;
	on_signal(&previous, 0);
	release((usize)table, (usize)file + table->packed_length + page - 1, page);
	return entry;
}
