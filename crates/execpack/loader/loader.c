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

struct stream {
	u32 model, length, packed;
};

#include "lzma.h"
#include "code.h"
#include "functions.h"

// src/payload.rs writes this table.
struct segment {
	u32 address, in_file, in_memory, flags, offset;
};

struct table {
	u32 magic, checksum, offset, packed_length, length, image_hash, entry, headers, header_count, scratch;
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
#define MAP_PRIVATE 2
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS 0x20
#endif

#define AT_PHDR 3
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_ENTRY 9

SMALL void say(const char *text) {
	usize length = 0;
	while (text[length])
		length++;
	system(SYS_WRITE, 2, (usize)text, length, 0, 0);
}

SMALL void fail(const char *message) {
	say("execpack: cannot start the packed program: ");
	say(message);
	say("\n");
	for (;;)
		system(SYS_EXIT_GROUP, 126, 0, 0, 0, 0);
}

// A page of the file that is not there or cannot be read.
static void on_bus_error(int signal) {
	(void)signal;
	fail("the file is cut off or cannot be read");
}

SMALL void *map(usize address, usize length) {
	usize result = system(SYS_MMAP, address, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1ul);
	if (result > -4096ul)
		fail("not enough memory");
	// Without MAP_FIXED: what is in the way is not destroyed.
	if (address && result != address)
		fail("its addresses are taken");
	return (void *)result;
}

// CRC-32, as in Ethernet and gzip.
SMALL u32 checksum(const u32 *remainders, u32 sum, const u8 *bytes, u32 length) {
	sum = ~sum;
	while (length--)
		sum = remainders[(sum ^ *bytes++) & 255] ^ sum >> 8;
	return ~sum;
}

// FNV-1a, but over words: what is decoded is several times as long as the file.
FAST u32 hash(u32 sum, const u8 *bytes, u32 length) {
	for (; length >= 4; bytes += 4, length -= 4)
		sum = (sum ^ *(const unaligned32 *)bytes) * 16777619;
	while (length--)
		sum = (sum ^ *bytes++) * 16777619;
	return sum;
}

SMALL void remainders_of(u32 *remainders) {
	u32 i, j;
	for (i = 0; i < 256; i++) {
		u32 value = i;
		for (j = 0; j < 8; j++)
			value = value >> 1 ^ (0xedb88320 & -(value & 1));
		remainders[i] = value;
	}
}

// Unmaps the whole pages between two places of the file.
SMALL void release(usize from, usize to, usize page) {
	from = (from + page - 1) & -page;
	to &= -page;
	if (to > from)
		system(SYS_MUNMAP, from, to - from, 0, 0, 0);
}

// Decodes all parts, whose descriptions come after the segments', and whose streams come after the descriptions. What was decoded
// is unmapped at once.
SMALL void decode(const struct table *table, struct scratch scratch, usize page) {
	const u32 *description = (const u32 *)(table->segment + table->segments), *words = description;
	const u8 *packed, *first;
	u32 i, j;
	for (i = 0; i < table->parts; i++)
		words += 3 + 3 * (words[0] >> 8);
	packed = first = (const u8 *)words;
	for (i = 0; i < table->parts; i++) {
		const struct part *part = (const struct part *)description;
		const struct stream *stream = (const struct stream *)(part + 1);
		u32 kind = part->kind & 255, count = part->kind >> 8;
		u8 *to = (u8 *)(usize)part->start;
		if (kind == FUNCTION_TABLE)
			join_functions(packed, stream, to, part->length, scratch);
		else if (kind != FILE_ONLY)
			decompress(packed, stream, to, scratch);
		if (kind == CODE)
			restore_code(to, part->length);
		for (j = 0; j < count; j++)
			packed += stream++->packed;
		description = (const u32 *)stream;
		release((usize)first, (usize)packed, page);
	}
}

// Returns the program's first instruction; `stack` is what the kernel entered with.
__attribute__((used, minsize)) usize load(usize *stack) {
	const struct table *table = &table_after_loader;
	const u8 *file = (const u8 *)table - table->offset, *after;
	usize *vector = stack + 1 + *stack + 1, *auxiliary, page = 4096, start, end, entry;
	const struct segment *segment;
	struct action bus_error, previous;
	struct scratch scratch;
	u32 i, sum, remainders[256];

	while (*vector++) {}
	for (auxiliary = vector; vector[0]; vector += 2)
		if (vector[0] == AT_PAGESZ)
			page = vector[1];

	prepare(&bus_error, on_bus_error);
	system(SYS_RT_SIGACTION, SIGBUS, (usize)&bus_error, (usize)&previous, SIGNAL_SET, 0);
	remainders_of(remainders);
	after = (const u8 *)&table->checksum + 4;
	sum = checksum(remainders, 0, file, table->offset + 4);
	sum = checksum(remainders, sum, after, table->packed_length - table->offset - 8);
	if (sum != table->checksum)
		fail("the file is damaged");

	for (i = 0, segment = table->segment; i < table->segments; i++, segment++) {
		start = segment->address & -page;
		end = ((usize)segment->address + segment->in_memory + page - 1) & -page;
		map(start, end - start);
	}
	scratch.next = map(0, table->scratch);
	scratch.end = scratch.next + table->scratch;
	decode(table, scratch, page);
	system(SYS_MUNMAP, (usize)scratch.next, table->scratch, 0, 0, 0);

	sum = 0x811c9dc5;
	for (i = 0, segment = table->segment; i < table->segments; i++, segment++)
		sum = hash(sum, (const u8 *)(usize)segment->address, segment->in_file);
	if (sum != table->image_hash)
		fail("it decodes to something else");
	for (i = 0, segment = table->segment; i < table->segments; i++, segment++) {
		// PF_X is 1, PF_W 2, PF_R 4; PROT_READ is 1, PROT_WRITE 2, PROT_EXEC 4.
		u32 flags = segment->flags, protection = (flags >> 2 & 1) | (flags & 2) | (flags & 1) << 2;
		start = segment->address & -page;
		end = ((usize)segment->address + segment->in_memory + page - 1) & -page;
		if (flags & 1)
			synchronize(segment->address, segment->address + segment->in_file);
		if (system(SYS_MPROTECT, start, end - start, protection, 0, 0))
			fail("the kernel forbids to make decoded code executable");
	}

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
	system(SYS_RT_SIGACTION, SIGBUS, (usize)&previous, 0, SIGNAL_SET, 0);
	release((usize)table, (usize)file + table->packed_length + page - 1, page);
	return entry;
}
